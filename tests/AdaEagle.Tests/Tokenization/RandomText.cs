using System.Text;
using CsCheck;

namespace AdaEagle.Tests.Tokenization;

/// <summary>Random texts that find the corners of tokenizers.</summary>
internal static class RandomText
{
    private static readonly string[] _fragments =
    [
        " ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u3000", "\u2028", "'s", "'LL", "don't", "Hello", " world", "WORLD", "123", "4567", "½", "²",
        "é", "e\u0301", "\u0301", "ß", "ſ", "中文", "ひ", "한", "\u1112\u1161\u11ab", "م", "रे", "\ud835\udcb3", "\ud835\udfd7", "\ud801\udc00", "😀", "👩‍👩‍👧", "…",
        "!?", "{}", "_", "-", "\0", "\u007f", "\ufeff", "\uffff", "<|im_start|>", "<|endoftext|>", "<|end_of_text|>", "<tool_call>", "<|im_", "▁", "Ġ",
    ];

    /// <summary>Any valid text: random code points, and fragments that pre-tokenizers care about.</summary>
    public static Gen<string> WellFormed { get; } = Gen.OneOf(
            OneOf(_fragments),
            Gen.Int[0, 0x7F].Select(codePoint => ((char)codePoint).ToString()),
            Gen.Int[0, 0x10FFFF].Where(Rune.IsValid).Select(char.ConvertFromUtf32))
        .Array[0, 30].Select(string.Concat);

    /// <summary>Any UTF-16, halves of surrogate pairs among it.</summary>
    public static Gen<string> Any { get; } = Gen.OneOf(
            WellFormed,
            Gen.Int[0xD800, 0xDFFF].Select(half => ((char)half).ToString()),
            Gen.Int[0, 0xFFFF].Select(unit => ((char)unit).ToString()))
        .Array[0, 8].Select(string.Concat);

    /// <summary>One of these.</summary>
    public static Gen<string> OneOf(params string[] texts) => Gen.Int[0, texts.Length - 1].Select(index => texts[index]);

    /// <summary>What a text is in UTF-8: halves of pairs become U+FFFD.</summary>
    public static string AsUtf8(string text) => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));
}
