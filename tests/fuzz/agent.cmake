sallyport_fuzz(login_address fuzz_login_address.c agent)
