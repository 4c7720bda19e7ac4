/* The client `sallyport`: a person's way to his machines, by the best route there is. */
#ifndef SALLYPORT_CLI_CLI_H
#define SALLYPORT_CLI_CLI_H

/* The whole program; returns the exit status: 0 done, 1 failed, 2 wrong usage. */
int cli_main(int argc, char **argv);

#endif
