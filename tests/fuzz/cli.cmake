sallyport_fuzz(client_told fuzz_client_told.c cli LIBS sp_domain)
sallyport_fuzz(client_files fuzz_client_files.c cli LIBS sp_domain)
