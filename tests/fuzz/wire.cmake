sallyport_fuzz(pubkey fuzz_pubkey.c wire)
sallyport_fuzz(sniff fuzz_sniff.c wire)
