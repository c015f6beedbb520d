using System.Text;

namespace AdaEagle.Formats;

/// <summary>UTF-8 that throws where bytes or text are not valid, instead of replacing: two names must never become one.</summary>
internal static class StrictUtf8
{
    /// <summary>Throws <see cref="DecoderFallbackException"/> and <see cref="EncoderFallbackException"/> (both are <see cref="ArgumentException"/>).</summary>
    public static readonly UTF8Encoding Encoding = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);
}
