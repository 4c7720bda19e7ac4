sallyport_fuzz(join_url fuzz_join_url.c domain)
sallyport_fuzz(link fuzz_link.c domain)
sallyport_fuzz(words fuzz_words.c base)
