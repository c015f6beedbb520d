using System.Collections.Frozen;

namespace AdaEagle.Training.Data;

/// <summary>The words that .NET's namespaces end in, to tell a type's full name from a member's.</summary>
internal static class DotNetNamespaces
{
    public static FrozenSet<string> LastWords { get; } = """
        Abstractions AccessControl ActionConstraints Antiforgery ApiExplorer ApplicationModels ApplicationParts Asn1 AspNetCore AuthenticatedEncryption
        Authentication Authorization BearerToken Binders Binding Buffers CSharp Cache Caching Cbor Certificate Channels Circuits Claims CodeAnalysis CodeDom
        Collections ComTypes Common Compilation CompilerServices ComponentModel Components Compression Concurrent Configuration ConfigurationModel Connections
        Constraints Contracts Controllers Cookies Core Cors Cryptography Data DataAnnotations DataProtection Dataflow DependencyInjection Design Diagnostics
        Discovery Distributed Drawing Dynamic Ecma335 Emit Endpoints EntityFrameworkCore Enumeration Eventing Expressions ExtendedProtection Extensions Facebook
        Features FileIO FileProviders FileSystemGlobbing Filters Formats Formatters Forms Frozen Generic Globalization Google HeaderPropagation Headers
        HealthChecks HostFiltering Hosting Html Http HttpLogging HttpOverrides HttpResults HttpServer HttpSys Hubs IIS IO Identity Immutable Implementation
        Infrastructure Internal InteropServices Intrinsics IsolatedStorage JSInterop Json Kestrel KeyManagement Linq Loader Localization Logging Mail
        Marshalling Matching Media Memory MemoryMappedFiles MessagePack Metadata Metrics Microsoft Middleware Mime ModelBinding Mvc NamedPipes Negotiate Net
        NetworkInformation Numerics OAuth ObjectModel ObjectPool OpenIdConnect OutputCaching PathHelper Patterns Physical Pipelines Pipes Policy
        PortableExecutable Primitives Principal Protocol Protocols Quic RateLimiting Razor RazorPages Reader Reflection RegularExpressions Remoting RenderTree
        Rendering Repositories RequestDecompression ResponseCaching ResponseCompression Rewrite Routing Runtime SafeHandles Schema Security Serialization Server
        ServerSentEvents Session SignalR Sockets Sources Specialized SqlTypes StackTrace StaticAssets StaticFiles SymbolStore System TagHelpers Tar Tasks
        Telemetry Template TestHost Text Threading Timeouts Timers Tracing Transactions Tree Unicode Validation Versioning ViewComponents ViewFeatures
        Virtualization VisualBasic Web WebSockets WebUtilities Win32 WsFederation X509Certificates XPath Xml XmlEncryption Xsl
        """.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).ToFrozenSet(StringComparer.Ordinal);
}
