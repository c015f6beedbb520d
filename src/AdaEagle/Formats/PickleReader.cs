using System.Buffers.Binary;
using System.Text;

namespace AdaEagle.Formats;

/// <summary>
/// Reads a pickle (Python's pickletools describes the machine) symbolically: a fixed set of opcodes that build plain data. An opcode that would import gives
/// a name, one that would call asks <see cref="_call"/>, which knows a fixed set of names and gives data. Nothing of the file is ever executed.
/// </summary>
/// <remarks>
/// Time and memory are proportional to the pickle's length, which is limited, as is the number of opcodes: no opcode copies what others share
/// (a value recalled from the memo is a reference), and nothing recurses.
/// </remarks>
internal sealed class PickleReader
{
    /// <summary>Longest pickle. A state dict takes about 150 bytes per tensor.</summary>
    public const int ByteLimit = 1 << 25;

    private const int OpcodeLimit = 1 << 20;
    private const int MarkLimit = 1000;
    private const int MaxProtocol = 5;

    private readonly string _file;
    private readonly string _item;
    private readonly byte[] _bytes;
    private readonly Func<object?, object?> _load;
    private readonly Func<PickleGlobal, object?[], object?> _call;
    private readonly List<object?> _stack = [];
    private readonly List<int> _marks = [];
    private readonly Dictionary<long, object?> _memo = [];
    private int _position;

    private PickleReader(string file, string item, byte[] bytes, Func<object?, object?> load, Func<PickleGlobal, object?[], object?> call)
    {
        _file = file;
        _item = item;
        _bytes = bytes;
        _load = load;
        _call = call;
    }

    /// <summary>Reads a pickle.</summary>
    /// <param name="file">The file, for messages.</param>
    /// <param name="item">The entry in it, for messages.</param>
    /// <param name="bytes">The pickle.</param>
    /// <param name="load">What stands for an object with a persistent id.</param>
    /// <param name="call">What stands for the result of a call.</param>
    /// <returns>One of the kinds of <c>PickleValues.cs</c>, or what <paramref name="load"/> and <paramref name="call"/> gave.</returns>
    public static object? Read(string file, string item, byte[] bytes, Func<object?, object?> load, Func<PickleGlobal, object?[], object?> call) =>
        new PickleReader(file, item, bytes, load, call).Run();

    private object? Run()
    {
        for (int i = 0; i < OpcodeLimit; i++)
        {
            byte opcode = Take(1)[0];
            if (opcode == '.')
            {
                return Pop();
            }

            Step(opcode);
        }

        throw Fault($"the pickle has more than {OpcodeLimit} opcodes");
    }

    // The opcodes by their names in pickletools.
    private void Step(byte opcode)
    {
        switch (opcode)
        {
            case 0x80: // PROTO
                if (Take(1)[0] > MaxProtocol)
                {
                    throw Fault($"the pickle's protocol is newer than {MaxProtocol}");
                }

                break;
            case 0x95: // FRAME: where a frame ends says nothing that the opcodes do not say
                Take(8);
                break;
            case (byte)'(': // MARK
                if (_marks.Count == MarkLimit)
                {
                    throw Fault($"the pickle is nested deeper than {MarkLimit}");
                }

                _marks.Add(_stack.Count);
                break;
            case (byte)'0': // POP
                Pop();
                break;
            case (byte)'1': // POP_MARK
                PopToMark();
                break;

            case (byte)'N': // NONE
                Push(null);
                break;
            case 0x88: // NEWTRUE
                Push(true);
                break;
            case 0x89: // NEWFALSE
                Push(false);
                break;
            case (byte)'K': // BININT1
                Push((long)Take(1)[0]);
                break;
            case (byte)'M': // BININT2
                Push((long)BinaryPrimitives.ReadUInt16LittleEndian(Take(2)));
                break;
            case (byte)'J': // BININT
                Push((long)BinaryPrimitives.ReadInt32LittleEndian(Take(4)));
                break;
            case 0x8a: // LONG1
                Push(Long(Take(Take(1)[0])));
                break;
            case (byte)'G': // BINFLOAT
                Push(BinaryPrimitives.ReadDoubleBigEndian(Take(8)));
                break;
            case 0x8c: // SHORT_BINUNICODE
                Push(Text(Take(Take(1)[0])));
                break;
            case (byte)'X': // BINUNICODE
                Push(Text(Take(Length32())));
                break;
            case 0x8d: // BINUNICODE8
                Push(Text(Take(BinaryPrimitives.ReadUInt64LittleEndian(Take(8)))));
                break;
            case (byte)'C': // SHORT_BINBYTES
                Take(Take(1)[0]);
                Push(new PickleForeign(null));
                break;
            case (byte)'B': // BINBYTES
                Take(Length32());
                Push(new PickleForeign(null));
                break;

            case (byte)')': // EMPTY_TUPLE
                Push(new PickleTuple([]));
                break;
            case 0x85 or 0x86 or 0x87: // TUPLE1, TUPLE2, TUPLE3
                Push(new PickleTuple(Pop(opcode - 0x84)));
                break;
            case (byte)'t': // TUPLE
                Push(new PickleTuple(PopToMark()));
                break;
            case (byte)']': // EMPTY_LIST
                Push(new PickleList([]));
                break;
            case (byte)'l': // LIST
                Push(new PickleList([.. PopToMark()]));
                break;
            case (byte)'a': // APPEND
                Append(Pop(1));
                break;
            case (byte)'e': // APPENDS
                Append(PopToMark());
                break;
            case (byte)'}': // EMPTY_DICT
                Push(new PickleDict([]));
                break;
            case (byte)'d': // DICT
                object?[] pairs = PopToMark();
                Push(new PickleDict([]));
                SetItems(pairs);
                break;
            case (byte)'s': // SETITEM
                SetItems(Pop(2));
                break;
            case (byte)'u': // SETITEMS
                SetItems(PopToMark());
                break;

            case (byte)'q': // BINPUT
                _memo[Take(1)[0]] = Top();
                break;
            case (byte)'r': // LONG_BINPUT
                _memo[Length32()] = Top();
                break;
            case 0x94: // MEMOIZE
                _memo[_memo.Count] = Top();
                break;
            case (byte)'h': // BINGET
                Push(Recall(Take(1)[0]));
                break;
            case (byte)'j': // LONG_BINGET
                Push(Recall(Length32()));
                break;

            case (byte)'c': // GLOBAL
                string module = Line();
                Push(new PickleGlobal(module, Line()));
                break;
            case 0x93: // STACK_GLOBAL
                object?[] names = Pop(2);
                Push(names is [string from, string name] ? new PickleGlobal(from, name) : throw Fault("a global's name is not a string"));
                break;
            case (byte)'R': // REDUCE
                Push(Call(Pop(2)));
                break;
            case 0x81: // NEWOBJ
                Push(new PickleForeign(Pop(2)[0] as PickleGlobal));
                break;
            case (byte)'b': // BUILD: attributes of an object, of no use to plain data
                Pop();
                Top();
                break;
            case (byte)'Q': // BINPERSID
                Push(_load(Pop()));
                break;
            default:
                throw Fault($"the pickle's opcode 0x{opcode:x2} is none that a state dict needs");
        }
    }

    private object? Call(object?[] functionAndArguments) => functionAndArguments switch
    {
        [PickleGlobal function, PickleTuple arguments] => _call(function, arguments.Items),
        [PickleForeign function, PickleTuple] => function,
        _ => throw Fault("the pickle calls what is no function"),
    };

    private void Append(object?[] items)
    {
        // Only lists are filled; appending to a foreign object would be a call.
        if (Top() is PickleList list)
        {
            list.Items.AddRange(items);
        }
    }

    private void SetItems(object?[] pairs)
    {
        if (pairs.Length % 2 != 0)
        {
            throw Fault("a key without a value");
        }

        if (Top() is not PickleDict dict)
        {
            return;
        }

        for (int i = 0; i < pairs.Length; i += 2)
        {
            if (pairs[i] is string key && !dict.Items.TryAdd(key, pairs[i + 1]))
            {
                throw Fault($"the key '{key}' occurs twice in a dict");
            }
        }
    }

    private void Push(object? value) => _stack.Add(value);

    private object? Pop() => Pop(1)[0];

    private object? Top()
    {
        object? top = Pop();
        Push(top);
        return top;
    }

    private object?[] Pop(int count)
    {
        int start = _stack.Count - count;
        if (start < (_marks.Count == 0 ? 0 : _marks[^1]))
        {
            throw Fault("the pickle takes more from its stack than is there");
        }

        object?[] items = [.. _stack[start..]];
        _stack.RemoveRange(start, count);
        return items;
    }

    private object?[] PopToMark()
    {
        if (_marks.Count == 0)
        {
            throw Fault("the pickle's mark is missing");
        }

        object?[] items = Pop(_stack.Count - _marks[^1]);
        _marks.RemoveAt(_marks.Count - 1);
        return items;
    }

    private object? Recall(long index) => _memo.TryGetValue(index, out object? value) ? value : throw Fault("the pickle recalls what it did not store");

    private uint Length32() => BinaryPrimitives.ReadUInt32LittleEndian(Take(4));

    private ReadOnlySpan<byte> Take(ulong count)
    {
        if (count > (ulong)(_bytes.Length - _position))
        {
            throw Fault("the pickle is cut");
        }

        ReadOnlySpan<byte> taken = _bytes.AsSpan(_position, (int)count);
        _position += (int)count;
        return taken;
    }

    private string Line()
    {
        int length = _bytes.AsSpan(_position).IndexOf((byte)'\n');
        string line = Text(Take(length < 0 ? ulong.MaxValue : (ulong)length));
        Take(1);
        return line;
    }

    private long Long(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > sizeof(long))
        {
            throw Fault("an integer of more than 64 bits");
        }

        long value = 0;
        for (int i = bytes.Length - 1; i >= 0; i--)
        {
            // The last byte carries the sign.
            value = i == bytes.Length - 1 ? (sbyte)bytes[i] : (value << 8) | bytes[i];
        }

        return value;
    }

    private string Text(ReadOnlySpan<byte> bytes)
    {
        try
        {
            return StrictUtf8.Encoding.GetString(bytes);
        }
        catch (DecoderFallbackException e)
        {
            throw new ModelFormatException(_file, _item, $"a string before byte {_position} of the pickle is not UTF-8", null, e);
        }
    }

    private ModelFormatException Fault(string problem) =>
        new(_file, _item, $"{problem} (before byte {_position})", "The file is damaged or no state dict of torch.save: fetch it again, or save it as safetensors");
}
