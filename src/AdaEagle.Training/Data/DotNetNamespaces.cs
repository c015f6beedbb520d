using System.Collections.Frozen;

namespace AdaEagle.Training.Data;

/// <summary>The words that .NET's namespaces end in, to tell a type's full name from a member's.</summary>
internal static class DotNetNamespaces
{
    public static FrozenSet<string> LastWords { get; } = """
        System Microsoft Win32 VisualBasic AspNetCore Extensions JSInterop CSharp
        Abstractions AccessControl ActionConstraints Antiforgery ApiExplorer ApplicationModels ApplicationParts Asn1 Authentication Authorization
        BearerToken Binders Binding Buffers Builder Caching Cbor Certificate Channels Circuits Claims CodeAnalysis CodeDom Collections ComTypes Common
        CompilerServices Compilation ComponentModel Components Compression Concurrent Configuration ConfigurationModel Connections Constraints Contracts
        Controllers Cookies Cors Cryptography Data DataAnnotations DataProtection DependencyInjection Design Diagnostics Discovery Distributed Drawing
        Dynamic Ecma335 Emit EntityFrameworkCore Eventing Expressions Facebook Features FileIO FileProviders Filters Formats Formatters Forms Frozen
        Generic Globalization Google HeaderPropagation Headers HealthChecks Hosting HostFiltering Html Http HttpLogging HttpOverrides HttpResults HttpSys
        Hubs IIS IO Identity Immutable Infrastructure Internal InteropServices Intrinsics IsolatedStorage Json Kestrel KeyManagement Linq Loader Localization
        Logging Mail Marshalling Matching Media Memory Metadata Metrics Middleware Mime ModelBinding Mvc NamedPipes Negotiate Net NetworkInformation Numerics
        OAuth ObjectModel ObjectPool OpenIdConnect OutputCaching PathHelper Patterns Physical Pipelines Pipes Policy PortableExecutable Primitives Principal
        Protocol Protocols Quic RateLimiting Razor RazorPages Reader Reflection Remoting RenderTree Rendering Repositories RequestDecompression Resources
        ResponseCaching ResponseCompression Rewrite Routing Runtime SafeHandles Schema Security Serialization Server ServerSentEvents Session SignalR Sockets
        Specialized SqlTypes StackTrace StaticAssets StaticFiles SymbolStore TagHelpers Tar Tasks Telemetry TestHost Text Threading Timers Tracing Transactions
        Tree Validation Versioning ViewComponents ViewFeatures Virtualization Warm Web WebEncoders WebSockets WebUtilities WsFederation X509Certificates XPath
        Xml XmlEncryption Xsl
        """.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).ToFrozenSet(StringComparer.Ordinal);
}
