Console.Error.WriteLine("adaeagle: no commands yet");
return 1;
