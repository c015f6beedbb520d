using AdaEagle.Formats;

namespace AdaEagle.Tokenization.Loading;

/// <summary>
/// Reads <c>post_processor</c>. For one text all kinds come down to ids in front and ids behind; of several in sequence, a later one
/// puts its own outside.
/// </summary>
internal static class PostProcessorReader
{
    public static (int[] Prefix, int[] Suffix) Read(JsonConfig root, Vocabulary vocabulary)
    {
        List<int> prefix = [];
        List<int> suffix = [];
        if (root.Object("post_processor") is { } processor)
        {
            Add(processor, vocabulary, prefix, suffix);
        }

        return ([.. prefix], [.. suffix]);
    }

    private static void Add(JsonConfig processor, Vocabulary vocabulary, List<int> prefix, List<int> suffix)
    {
        switch (processor.Text("type"))
        {
            case "Sequence":
                foreach (JsonConfig item in processor.Objects("processors"))
                {
                    Add(item, vocabulary, prefix, suffix);
                }

                break;
            case "ByteLevel":
                // It corrects offsets into the text, which nobody asks for here.
                break;
            case "BertProcessing" or "RobertaProcessing":
                prefix.Insert(0, ReadToken(processor, "cls", vocabulary));
                suffix.Add(ReadToken(processor, "sep", vocabulary));
                break;
            case "TemplateProcessing":
                AddTemplate(processor, vocabulary, prefix, suffix);
                break;
            case var other:
                throw TokenizerReader.Unsupported(
                    processor, "post-processor", other ?? "", "TemplateProcessing, ByteLevel, RobertaProcessing, BertProcessing and Sequence");
        }
    }

    private static int ReadToken(JsonConfig processor, string key, Vocabulary vocabulary)
    {
        (_, int id) = processor.TextAndInt(key, 0, int.MaxValue) ?? throw processor.Fault(key, "the key is missing");
        return vocabulary.Contains(id) ? id : throw NoToken(processor, key, id);
    }

    private static void AddTemplate(JsonConfig processor, Vocabulary vocabulary, List<int> prefix, List<int> suffix)
    {
        List<int> before = [];
        List<int> after = [];
        bool passedText = false;
        foreach (JsonConfig item in processor.Objects("single"))
        {
            if (item.Object("SpecialToken") is { } special)
            {
                string name = special.Text("id") ?? throw special.Fault("id", "the key is missing");
                (passedText ? after : before).AddRange(ReadSpecial(processor, name, vocabulary));
            }
            else if (item.Object("Sequence")?.Text("id") == "A" && !passedText)
            {
                passedText = true;
            }
            else
            {
                throw processor.Fault("single", "an item is neither a SpecialToken nor the Sequence A", "The template of one text has the Sequence A once");
            }
        }

        if (!passedText)
        {
            throw processor.Fault("single", "the text itself is missing in it", "The template of one text has the Sequence A once");
        }

        prefix.InsertRange(0, before);
        suffix.AddRange(after);
    }

    private static int[] ReadSpecial(JsonConfig processor, string name, Vocabulary vocabulary)
    {
        JsonConfig token = processor.Object("special_tokens")?.Object(name)
            ?? throw processor.Fault("special_tokens", $"'{name}' of the template is not among them");
        int[] ids = token.OneOrMoreInts("ids", 0, int.MaxValue);
        foreach (int id in ids)
        {
            if (!vocabulary.Contains(id))
            {
                throw NoToken(token, "ids", id);
            }
        }

        return ids;
    }

    private static ModelFormatException NoToken(JsonConfig at, string key, int id) =>
        at.Fault(key, $"no token has the id {id}", "Give the tokenizer.json as its makers published it");
}
