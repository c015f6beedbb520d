using System.Globalization;

namespace AdaEagle.Formats;

/// <summary>Types of metadata values, numbered as in the file.</summary>
public enum GgufValueType
{
    /// <summary>Unsigned, 8 bits.</summary>
    U8 = 0,

    /// <summary>Signed, 8 bits.</summary>
    I8 = 1,

    /// <summary>Unsigned, 16 bits.</summary>
    U16 = 2,

    /// <summary>Signed, 16 bits.</summary>
    I16 = 3,

    /// <summary>Unsigned, 32 bits.</summary>
    U32 = 4,

    /// <summary>Signed, 32 bits.</summary>
    I32 = 5,

    /// <summary>IEEE 754 binary32.</summary>
    F32 = 6,

    /// <summary>One byte, 0 or 1.</summary>
    Bool = 7,

    /// <summary>UTF-8 with its length in 64 bits.</summary>
    Text = 8,

    /// <summary>Element type, number of elements, elements.</summary>
    Array = 9,

    /// <summary>Unsigned, 64 bits.</summary>
    U64 = 10,

    /// <summary>Signed, 64 bits.</summary>
    I64 = 11,

    /// <summary>IEEE 754 binary64.</summary>
    F64 = 12,
}

/// <summary>A metadata value of a GGUF file with its type.</summary>
public sealed class GgufValue
{
    /// <summary>Wraps a value.</summary>
    /// <param name="value">
    /// A number (<see cref="byte"/> to <see cref="ulong"/>, <see cref="float"/>, <see cref="double"/>), a <see cref="bool"/>, a <see cref="string"/>,
    /// an array of one of those, or an array of <see cref="GgufValue"/> that are arrays themselves.
    /// </param>
    /// <exception cref="ArgumentException">It is something else.</exception>
    public GgufValue(object value)
    {
        ArgumentNullException.ThrowIfNull(value);
        Value = value;
        if (value is Array { Rank: 1 } array)
        {
            Type = GgufValueType.Array;
            ElementType = TypeOf(array.GetType().GetElementType()!);
            if (value is GgufValue[] inner && inner.Any(i => i.Type != GgufValueType.Array))
            {
                throw new ArgumentException("Only arrays can be elements of an array of values; other elements go into an array of their own type.", nameof(value));
            }
        }
        else
        {
            Type = value is GgufValue ? throw new ArgumentException("A value cannot wrap another one.", nameof(value)) : TypeOf(value.GetType());
        }
    }

    /// <summary>The type.</summary>
    public GgufValueType Type { get; }

    /// <summary>The type of an array's elements; null for all else.</summary>
    public GgufValueType? ElementType { get; }

    /// <summary>The value, of the .NET type that belongs to <see cref="Type"/>.</summary>
    public object Value { get; }

    /// <summary>The value as text, an array by its type and length: <c>Text[4096]</c>.</summary>
    public override string ToString() => Value is Array array
        ? $"{ElementType}[{array.Length}]"
        : Convert.ToString(Value, CultureInfo.InvariantCulture)!;

    private static GgufValueType TypeOf(Type type) =>
        type == typeof(byte) ? GgufValueType.U8
        : type == typeof(sbyte) ? GgufValueType.I8
        : type == typeof(ushort) ? GgufValueType.U16
        : type == typeof(short) ? GgufValueType.I16
        : type == typeof(uint) ? GgufValueType.U32
        : type == typeof(int) ? GgufValueType.I32
        : type == typeof(float) ? GgufValueType.F32
        : type == typeof(bool) ? GgufValueType.Bool
        : type == typeof(string) ? GgufValueType.Text
        : type == typeof(GgufValue) ? GgufValueType.Array
        : type == typeof(ulong) ? GgufValueType.U64
        : type == typeof(long) ? GgufValueType.I64
        : type == typeof(double) ? GgufValueType.F64
        : throw new ArgumentException($"GGUF has no value of type {type}.", nameof(type));
}
