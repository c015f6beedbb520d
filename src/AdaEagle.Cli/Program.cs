using AdaEagle.Cli;

return CommandLine.Run(args, Terminal.OfProcess());
