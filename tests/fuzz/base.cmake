sallyport_fuzz(options fuzz_options.c base)
