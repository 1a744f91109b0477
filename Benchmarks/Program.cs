if (args.Length > 0 && args[0] == "fingerprint") return Native.Benchmarks.FingerprintCommand.Run();
return 0;
