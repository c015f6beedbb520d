using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace AdaEagle.Kernels;

/// <summary>
/// Zeroed memory outside the garbage collector's heap, aligned to a cache line, and to huge pages where it is large:
/// weights that stream from memory lose 10 to 15% to page walks otherwise.
/// </summary>
internal sealed unsafe partial class NativeBuffer : IDisposable
{
    private const nuint HugePage = 2u << 20;
    private const int AdviseHugePages = 14;
    private readonly Slab? _slab;
    private void* _memory;

    /// <summary>Allocates <paramref name="byteLength"/> zeroed bytes.</summary>
    /// <exception cref="OutOfMemoryException">The memory is not to be had.</exception>
    public NativeBuffer(long byteLength)
        : this(byteLength, packed: false)
    {
    }

    /// <summary>
    /// Allocates <paramref name="byteLength"/> zeroed bytes, where <paramref name="packed"/> behind the last such buffer: the matrices of a small model
    /// are smaller than a huge page each, but not together.
    /// </summary>
    /// <exception cref="OutOfMemoryException">The memory is not to be had.</exception>
    public NativeBuffer(long byteLength, bool packed)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(byteLength);
        ByteLength = byteLength;
        // 64 bytes of slack let a kernel load a whole vector at the end.
        nuint size = checked((nuint)byteLength + 64);
        _memory = packed ? Slab.Allocate(size, out _slab) : Allocate(size);
        NativeMemory.Clear(_memory, size);
        GC.AddMemoryPressure(Math.Max(byteLength, 1));
    }

    ~NativeBuffer() => Free();

    public long ByteLength { get; }

    public byte* Bytes
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (byte*)_memory;
    }

    public float* Floats
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (float*)_memory;
    }

    /// <summary>A buffer of <paramref name="count"/> floats, all zero.</summary>
    public static NativeBuffer OfFloats(long count) => new(checked(count * sizeof(float)));

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        if (_memory is not null)
        {
            if (_slab is not null)
            {
                _slab.Release();
            }
            else
            {
                NativeMemory.AlignedFree(_memory);
            }

            _memory = null;
            GC.RemoveMemoryPressure(Math.Max(ByteLength, 1));
        }
    }

    private static void* Allocate(nuint size)
    {
        bool huge = size >= 2 * HugePage;
        void* memory = NativeMemory.AlignedAlloc(size, huge ? HugePage : 64);
        if (huge && OperatingSystem.IsLinux())
        {
            _ = Advise(memory, size, AdviseHugePages);
        }

        return memory;
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* address, nuint length, int advice);

    /// <summary>Memory that several buffers share, freed with the last of them. What none has asked for yet is never touched, and so costs nothing.</summary>
    private sealed class Slab
    {
        private const nuint Size = 16 * HugePage;
        private static readonly Lock s_lock = new();
        private static Slab? s_open;
        private readonly void* _memory = NativeBuffer.Allocate(Size);
        private nuint _used;
        private int _buffers;

        /// <summary>Carves out <paramref name="size"/> bytes; large ones get memory of their own, and <paramref name="slab"/> is null.</summary>
        public static void* Allocate(nuint size, out Slab? slab)
        {
            if (size > Size / 2)
            {
                slab = null;
                return NativeBuffer.Allocate(size);
            }

            size = (size + 63) & ~(nuint)63;
            lock (s_lock)
            {
                if (s_open is null || size > Size - s_open._used)
                {
                    s_open = new Slab();
                }

                slab = s_open;
                void* memory = (byte*)slab._memory + slab._used;
                slab._used += size;
                slab._buffers++;
                return memory;
            }
        }

        /// <summary>Gives one buffer back.</summary>
        public void Release()
        {
            lock (s_lock)
            {
                if (--_buffers > 0)
                {
                    return;
                }

                if (s_open == this)
                {
                    s_open = null;
                }

                NativeMemory.AlignedFree(_memory);
            }
        }
    }
}
