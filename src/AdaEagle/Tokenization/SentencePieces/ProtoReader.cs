using System.Buffers.Binary;

namespace AdaEagle.Tokenization.SentencePieces;

/// <summary>What is broken in a protocol buffer; the caller knows the file.</summary>
internal sealed class ProtoException(string message) : Exception(message);

/// <summary>
/// Reads the fields of one message in the wire format of protocol buffers (protobuf.dev, "Encoding"). Every length is checked against
/// what is left before anything is read; it never goes into messages by itself, so there is no depth to limit.
/// </summary>
internal ref struct ProtoReader(ReadOnlySpan<byte> bytes)
{
    private const int Varint = 0;
    private const int Fixed64 = 1;
    private const int LengthDelimited = 2;
    private const int Fixed32 = 5;

    private ReadOnlySpan<byte> _rest = bytes;
    private int _wireType;

    /// <summary>The number of the field that was read last.</summary>
    public int Field { get; private set; }

    /// <summary>Goes to the next field; false at the end. The value must be read or skipped before the next call.</summary>
    public bool Next()
    {
        if (_rest.IsEmpty)
        {
            return false;
        }

        ulong tag = ReadVarint();
        _wireType = (int)(tag & 7);
        ulong field = tag >> 3;
        if (field is 0 or > (1 << 29) - 1)
        {
            throw new ProtoException("a field has a number that no field can have");
        }

        Field = (int)field;
        return true;
    }

    /// <summary>A whole number (negative ones are written in 64 bits); those beyond 32 bits are refused.</summary>
    public int Int()
    {
        Expect(Varint, "a whole number");
        long value = unchecked((long)ReadVarint());
        return value is >= int.MinValue and <= int.MaxValue ? (int)value : throw new ProtoException($"field {Field} holds {value}, beyond 32 bits");
    }

    /// <summary>True or false.</summary>
    public bool Flag()
    {
        Expect(Varint, "true or false");
        return ReadVarint() != 0;
    }

    /// <summary>A 32-bit floating point number.</summary>
    public float Single()
    {
        Expect(Fixed32, "a 32-bit number");
        return BinaryPrimitives.ReadSingleLittleEndian(Take(sizeof(float)));
    }

    /// <summary>Bytes, a text's or a message's.</summary>
    public ReadOnlySpan<byte> Bytes()
    {
        Expect(LengthDelimited, "bytes");
        return Take(ReadVarint());
    }

    /// <summary>Passes the value by, whatever it is.</summary>
    public void Skip()
    {
        switch (_wireType)
        {
            case Varint:
                ReadVarint();
                break;
            case Fixed64:
                Take(sizeof(ulong));
                break;
            case LengthDelimited:
                Take(ReadVarint());
                break;
            case Fixed32:
                Take(sizeof(uint));
                break;
            default:
                throw new ProtoException($"field {Field} is of the wire type {_wireType}, which this format does not use");
        }
    }

    private readonly void Expect(int wireType, string what)
    {
        if (_wireType != wireType)
        {
            throw new ProtoException($"field {Field} should hold {what}, and is of the wire type {_wireType}");
        }
    }

    private ReadOnlySpan<byte> Take(ulong length)
    {
        if (length > (ulong)_rest.Length)
        {
            throw new ProtoException($"field {Field} has {length} bytes, and only {_rest.Length} are left");
        }

        ReadOnlySpan<byte> taken = _rest[..(int)length];
        _rest = _rest[(int)length..];
        return taken;
    }

    private ulong ReadVarint()
    {
        const int MostBytes = 10;
        ulong value = 0;
        for (int i = 0; i < MostBytes && i < _rest.Length; i++)
        {
            value |= (ulong)(_rest[i] & 0x7F) << (7 * i);
            if (_rest[i] < 0x80)
            {
                _rest = _rest[(i + 1)..];
                return value;
            }
        }

        throw new ProtoException("a number has no end");
    }
}
