using System.CommandLine;
using System.Globalization;
using AdaEagle.Bench.Peers;
using AdaEagle.Formats;
using AdaEagle.Kernels;

const string Cache = ".cache";
var models = new Argument<string[]>("MODEL.gguf") { Description = $"GGUF files; by default all in bench/peers/{Cache}/models.", Arity = ArgumentArity.ZeroOrMore };
var threads = new Option<int>("--threads") { Description = "Threads of each engine.", DefaultValueFactory = _ => Environment.ProcessorCount };
var rounds = new Option<int>("--rounds") { Description = "Rounds of each measure at most; the median counts.", DefaultValueFactory = _ => 15 };
var minutes = new Option<double>("--minutes") { Description = "Time in all; what does not fit in gets fewer rounds, three at least.", DefaultValueFactory = _ => 9 };
var full = new Option<bool>("--full") { Description = "Prompt processing and decoding behind 4096 tokens too; takes half an hour unless --minutes says otherwise." };
var cache = new Option<CacheFormat>("--cache") { Description = "Format of both engines' caches; f16 is llama.cpp's default.", DefaultValueFactory = _ => CacheFormat.F16 };
var json = new Option<string?>("--json") { Description = "Also writes the rows to a file.", HelpName = "OUT" };
var root = new RootCommand("Measures AdaEagle against llama.cpp on the same files with the same threads, in turns. Run bench/peers/prepare first.") { models, threads, rounds, minutes, full, cache, json };
root.SetAction(Run);
try
{
    return root.Parse(args).Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
}
catch (Exception e) when (e is ModelFormatException or ArgumentException or IOException or UnauthorizedAccessException)
{
    Console.Error.WriteLine(e.Message);
    return 1;
}

int Run(ParseResult arguments)
{
    string here = Path.Combine(Root(), "bench", "peers", Cache);
    string[] harnesses = [Path.Combine(here, "peer"), Path.Combine(here, "peer-native")];
    harnesses = [.. harnesses.Where(File.Exists)];
    if (harnesses.Length == 0)
    {
        throw new IOException("There is no harness yet: run bench/peers/prepare first.");
    }

    string folder = Path.Combine(here, "models");
    string[] files = arguments.GetValue(models) is { Length: > 0 } given ? given : Directory.Exists(folder) ? [.. Directory.GetFiles(folder, "*.gguf").Order(StringComparer.Ordinal)] : [];
    if (files.Length == 0)
    {
        throw new IOException($"There is no model: name GGUF files, or let bench/peers/prepare --models put some into {folder}.");
    }

    if (files.FirstOrDefault(file => !File.Exists(file)) is { } absent)
    {
        throw new IOException($"There is no file {absent}.");
    }

    bool everything = arguments.GetValue(full);
    double budget = everything && arguments.GetResult(minutes) is null or { Implicit: true } ? 30 : arguments.GetValue(minutes);
    var settings = new Settings(arguments.GetValue(threads), arguments.GetValue(rounds), everything, arguments.GetValue(cache), TimeSpan.FromMinutes(budget) / files.Length);
    List<ResultRow> rows = [];
    List<GreedyResult> greedy = [];
    bool quiet = true;
    foreach (string file in files)
    {
        if (Quiet.Warning() is { } warning)
        {
            quiet = false;
            Console.Error.WriteLine($"warning: {warning}");
        }

        (IReadOnlyList<ResultRow> ofFile, GreedyResult same) = new Comparison(file, settings, harnesses, Console.Error.WriteLine).Run();
        rows.AddRange(ofFile);
        greedy.Add(same);
    }

    var results = new Results(rows, greedy, Processor(), settings.Threads, settings.Cache.ToString(), quiet, DateTimeOffset.UtcNow.ToString("O", CultureInfo.InvariantCulture));
    Console.WriteLine($"{results.Processor}, {settings.Threads} threads, {settings.Cache} caches{(quiet ? "" : "; the machine was not quiet")}");
    results.Write(Console.Out);
    greedy.ForEach(result => Console.WriteLine(result.Text));
    if (arguments.GetValue(json) is { } output)
    {
        File.WriteAllText(output, results.ToJson());
    }

    return 0;
}

static string Processor()
{
    const string File = "/proc/cpuinfo";
    string? line = System.IO.File.Exists(File) ? System.IO.File.ReadLines(File).FirstOrDefault(text => text.StartsWith("model name", StringComparison.Ordinal)) : null;
    return line?[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim() ?? System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture.ToString();
}

static string Root()
{
    for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
    {
        if (File.Exists(Path.Combine(folder.FullName, "AdaEagle.slnx")))
        {
            return folder.FullName;
        }
    }

    throw new IOException("This program is to be run from its repository.");
}
