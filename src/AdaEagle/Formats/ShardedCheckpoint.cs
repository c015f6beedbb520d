namespace AdaEagle.Formats;

/// <summary>Several files that an index (<c>weight_map</c>: tensor name to file name) makes one checkpoint.</summary>
internal sealed class ShardedCheckpoint : ITensorSource
{
    // The largest published models have a few hundred; each is an open file.
    private const int MaxShards = 2048;

    private readonly Dictionary<string, ITensorSource> _shards = [];
    private readonly Dictionary<string, ITensorSource> _owners = [];
    private readonly Dictionary<string, TensorInfo> _tensors = [];
    private readonly Dictionary<string, string> _metadata = [];

    private ShardedCheckpoint(string path) => Path = path;

    public string Path { get; }

    public IReadOnlyDictionary<string, TensorInfo> Tensors => _tensors;

    public IReadOnlyDictionary<string, string> Metadata => _metadata;

    /// <summary>Opens the index and every file it names, which must lie in the index' folder and hold what the index says.</summary>
    /// <param name="index">Path of the index.</param>
    /// <param name="extension">What the files' names must end with.</param>
    /// <param name="openShard">Opens one of them.</param>
    public static ShardedCheckpoint Open(string index, string extension, Func<string, ITensorSource> openShard)
    {
        ShardedCheckpoint checkpoint = new(index);
        try
        {
            checkpoint.ReadIndex(JsonConfig.Load(index, JsonConfig.IndexLimit), extension, openShard);
            return checkpoint;
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    public void Read(string name, long byteOffset, Span<byte> destination)
    {
        this.Require(name);
        _owners[name].Read(name, byteOffset, destination);
    }

    public void Dispose()
    {
        foreach (ITensorSource shard in _shards.Values)
        {
            shard.Dispose();
        }
    }

    private void ReadIndex(JsonConfig index, string extension, Func<string, ITensorSource> openShard)
    {
        JsonConfig map = index.Object("weight_map") ?? throw index.Fault("weight_map", "the key is missing", "Fetch the index again");
        KeyValuePair<string, string>[] places = [.. map.AllTexts()];
        int files = places.Select(p => p.Value).Distinct().Count();
        if (files > MaxShards)
        {
            throw index.Fault("weight_map", $"the index names {files} files, more than the {MaxShards} allowed");
        }

        foreach ((string name, string file) in places)
        {
            if (!_shards.TryGetValue(file, out ITensorSource? shard))
            {
                shard = OpenShard(map, name, file, extension, openShard);
            }

            _tensors.Add(name, shard.Tensors.GetValueOrDefault(name)
                ?? throw map.Fault(name, $"the index says that it is in '{file}', but it is not", "Fetch the files again, all of one version"));
            _owners.Add(name, shard);
        }

        foreach ((string key, string value) in index.Object("metadata")?.SimpleValues() ?? [])
        {
            _metadata.TryAdd(key, value);
        }
    }

    private ITensorSource OpenShard(JsonConfig map, string name, string file, string extension, Func<string, ITensorSource> openShard)
    {
        // A plain file name cannot leave the folder, whatever the system's rules for paths.
        if (!file.EndsWith(extension, StringComparison.Ordinal) || file.AsSpan().ContainsAny("/\\:\0"))
        {
            throw map.Fault(name, $"'{file}' is not the name of a {extension} file beside the index");
        }

        string folder = System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(Path))!;
        ITensorSource shard = openShard(System.IO.Path.Combine(folder, file));
        _shards.Add(file, shard);
        foreach ((string key, string value) in shard.Metadata)
        {
            _metadata.TryAdd(key, value);
        }

        return shard;
    }
}
