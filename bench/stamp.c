/* stamp FIFO KEY: write "KEY <wall clock in ns>\n" to FIFO; reading the clock is the first act. */
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (argc != 3) return 2;
    char line[256];
    int length = snprintf(line, sizeof line, "%s %lld\n", argv[2], now.tv_sec * 1000000000LL + now.tv_nsec);
    int fifo = open(argv[1], O_WRONLY);
    return fifo < 0 || write(fifo, line, length) != length;
}
