using System.Runtime.InteropServices;

namespace AdaEagle.Training.Torch;

/// <summary>
/// Loads libtorch for this process. Call <see cref="Load"/> before the first use of TorchSharp.
/// TorchSharp 0.107's native part asks libstdc++ for version GLIBCXX_3.4.32 (gcc 13) without needing any symbol of it, so that it does not load on
/// Debian 12 or Ubuntu 22.04. Where the plain load fails, a private copy with that one requirement loosened is loaded instead.
/// </summary>
public static class TorchLibrary
{
    private const string NeedlessVersion = "GLIBCXX_3.4.32";
    private static readonly Lazy<nint> Handle = new(LoadNative);

    /// <summary>Loads the native libraries if they are not loaded yet; thread-safe.</summary>
    /// <exception cref="DllNotFoundException">They are missing beside the program, or cannot be loaded; says why.</exception>
    public static void Load() => _ = Handle.Value;

    /// <summary>Loads it for a training run: so many threads, and its own random numbers from a seed.</summary>
    public static void Begin(int threads, int seed)
    {
        Load();
        TorchSharp.torch.set_num_threads(threads);
        TorchSharp.torch.random.manual_seed(seed);
    }

    private static nint LoadNative()
    {
        PrepareProcess();
        string folder = FindFolder();

        // In this order each finds the ones before it by their names, wherever the last one lies.
        foreach (string name in (string[])["libc10.so", "libtorch_cpu.so", "libtorch.so"])
        {
            NativeLibrary.Load(Path.Combine(folder, name));
        }

        string binding = Path.Combine(folder, "libLibTorchSharp.so");
        nint handle = NativeLibrary.TryLoad(binding, out nint plain) ? plain : LoadLoosened(binding);
        NativeLibrary.SetDllImportResolver(typeof(TorchSharp.torch).Assembly, (name, _, _) => name == "LibTorchSharp" ? handle : 0);
        return handle;
    }

    private static nint LoadLoosened(string binding)
    {
        byte[] image = File.ReadAllBytes(binding);
        if (ElfVersions.Weaken(image, NeedlessVersion) == 0)
        {
            NativeLibrary.Load(binding); // throws with the loader's own reason, which is another one
        }

        string copy = Path.Combine(Path.GetTempPath(), $"adaeagle-{Guid.NewGuid():N}.so");
        try
        {
            using (var stream = new FileStream(copy, FileMode.CreateNew, FileAccess.Write))
            {
                stream.Write(image);
            }

            return NativeLibrary.Load(copy);
        }
        finally
        {
            File.Delete(copy); // mapped by now; the mapping lives on
        }
    }

    private static string FindFolder()
    {
        string[] candidates =
        [
            Path.Combine(AppContext.BaseDirectory, "runtimes", "linux-x64", "native"),
            AppContext.BaseDirectory,
            .. (AppContext.GetData("NATIVE_DLL_SEARCH_DIRECTORIES") as string ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries),
        ];
        return candidates.FirstOrDefault(folder => File.Exists(Path.Combine(folder, "libLibTorchSharp.so")) && File.Exists(Path.Combine(folder, "libtorch_cpu.so")))
            ?? throw new DllNotFoundException(
                $"libtorch is not beside the program (looked in {string.Join(", ", candidates)}). Training runs on Linux x64; restore and build AdaEagle.Training again.");
    }

    /// <summary>
    /// Two settings that only count before libtorch starts: OpenMP workers park instead of spinning between operations (spinning threads
    /// starve each other and everyone else when the machine is shared), and freed blocks stay in the heap (each training step asks for the
    /// same tensors again; fetching them from the kernel anew costs a page fault per 4 KiB).
    /// </summary>
    private static void PrepareProcess()
    {
        if (!OperatingSystem.IsLinux())
        {
            throw new DllNotFoundException("Training runs on Linux x64 only: TorchSharp's libtorch is referenced for that platform alone.");
        }

        const int TrimThreshold = -1, TopPad = -2, MapThreshold = -3;
        _ = SetEnvironment("OMP_WAIT_POLICY", "passive", 0);
        _ = SetAllocator(MapThreshold, 1 << 30);
        _ = SetAllocator(TrimThreshold, int.MaxValue);
        _ = SetAllocator(TopPad, 64 << 20);
    }

    // .NET's own Environment keeps a copy that native code does not see.
    [DllImport("libc", EntryPoint = "setenv"), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int SetEnvironment([MarshalAs(UnmanagedType.LPUTF8Str)] string name, [MarshalAs(UnmanagedType.LPUTF8Str)] string value, int overwrite);

    [DllImport("libc", EntryPoint = "mallopt"), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int SetAllocator(int parameter, int value);
}
