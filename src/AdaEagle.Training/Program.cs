Console.Error.WriteLine("adaeagle-train: no commands yet");
return 1;
