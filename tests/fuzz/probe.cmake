sallyport_fuzz(proc_net fuzz_proc_net.c probe)
sallyport_fuzz(jupyter_runtime fuzz_jupyter_runtime.c probe)
sallyport_fuzz(jupyter_sessions fuzz_jupyter_sessions.c probe)
