/* Keeps SIGPIPE from the host. CURLOPT_NOSIGNAL makes libcurl leave the signal alone, yet with
 * OpenSSL "there are some corner cases when they may still happen" (CURLOPT_NOSIGNAL(3)). Plain
 * sockets are written to with MSG_NOSIGNAL (SO_NOSIGPIPE on macOS), so a handle that has seen no
 * TLS saves the three system calls. */
#include "internal.h"

void pusher_sigpipe_hold(pusher_sigpipe *guard)
{
    sigset_t pipe_only;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    guard->held = pthread_sigmask(SIG_BLOCK, &pipe_only, &guard->before) == 0 &&
                  !sigismember(&guard->before, SIGPIPE);
}

/* A write's SIGPIPE goes to the thread that wrote, so consuming it here cannot affect another. */
void pusher_sigpipe_release(pusher_sigpipe *guard)
{
    if (!guard->held)
        return;
    sigset_t pending;
    if (sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE)) {
        sigset_t pipe_only;
        int signal_number;
        sigemptyset(&pipe_only);
        sigaddset(&pipe_only, SIGPIPE);
        sigwait(&pipe_only, &signal_number);
    }
    pthread_sigmask(SIG_SETMASK, &guard->before, NULL);
    guard->held = false;
}
