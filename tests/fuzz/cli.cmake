sallyport_fuzz(client_told fuzz_client_told.c cli LIBS sp_domain)
