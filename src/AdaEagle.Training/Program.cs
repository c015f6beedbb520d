using System.CommandLine;
using AdaEagle.Training.Commands;

return CommandRunner.Run(
    new RootCommand("Trains what AdaEagle runs: a tokenizer, a target model, its EAGLE draft head and the draft-length predictor.")
    {
        TokenizerCommand.Create(),
        TargetCommand.Create(),
        AnswersCommand.Create(),
        EagleCommand.Create(),
        LdlpCommand.Create(),
    },
    args);
