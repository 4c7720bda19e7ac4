sallyport_fuzz(address fuzz_address.c relay)
