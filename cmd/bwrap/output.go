//go:build linux

package main

// All that this program prints.

import "os"

// version is the one whose options this program has. Those who read it want it last.
const version = "bubblewrap 0.11.1\n"

// level says that messages begin with their priority, syslog(3).
var level bool

func print(s string) { os.Stdout.WriteString(s) }

func talk(priority, s string) {
	if !level {
		priority = ""
	}
	os.Stderr.WriteString(priority + "bwrap: " + s + "\n")
}

func die(s string)  { talk("<3>", s) }
func warn(s string) { talk("<4>", s) }

func complainUsage(name string) { os.Stderr.WriteString(usage(name) + options) }

func usage(name string) string {
	return "usage: " + name + " [OPTIONS...] [--] COMMAND [ARGS...]\n\n"
}

const options = `Run a command in a sandbox. SRC is a path of the host, DEST one of the sandbox, FD
the number of an open file descriptor. Operations are done in the order given.

Files:
    --bind SRC DEST              Show SRC, with all mounts below it, at DEST
    --ro-bind SRC DEST           The same, read-only
    --dev-bind SRC DEST          The same, with devices that work
    --bind-try, --ro-bind-try, --dev-bind-try SRC DEST
                                 Only if SRC exists
    --bind-fd FD DEST            Show what FD stands for
    --ro-bind-fd FD DEST         The same, read-only
    --remount-ro DEST            Make the mount at DEST read-only, but not those below
    --overlay-src SRC            Have a layer in the overlay that follows, on those before
    --overlay RWSRC WORKDIR DEST Show the layers at DEST; changes go to RWSRC
    --tmp-overlay DEST           The same; changes are lost
    --ro-overlay DEST            The same, read-only
    --tmpfs DEST                 An empty file system in memory
    --proc DEST                  A procfs
    --dev DEST                   A private /dev
    --mqueue DEST                POSIX message queues
    --dir DEST                   A directory
    --file FD DEST               A file of what comes through FD
    --bind-data FD DEST          The same, mounted over what is there
    --ro-bind-data FD DEST       The same, read-only
    --symlink TARGET DEST        A symbolic link
    --chmod OCTAL PATH           Change the mode of what is there
    --perms OCTAL                Mode of the --dir, --file, --tmpfs, … that follows
    --size BYTES                 Size of the --tmpfs that follows

Namespaces and identity:
    --unshare-all                All that follow, as far as possible
    --share-net                  But for the network
    --unshare-user, --unshare-ipc, --unshare-pid, --unshare-net, --unshare-uts, --unshare-cgroup
                                 A namespace of the sandbox's own
    --unshare-user-try, --unshare-cgroup-try
                                 If possible
    --userns FD, --userns2 FD    Enter a user namespace, at first, or once all is made
    --pidns FD                   Enter a pid namespace
    --disable-userns             Let the command make no user namespaces
    --assert-userns-disabled     Fail if it could
    --uid UID, --gid GID         Ids in the sandbox
    --hostname NAME              Its host name
    --cap-add CAP, --cap-drop CAP
                                 Capabilities of the command; ALL is all

The command:
    --chdir DIR                  Start in DIR
    --setenv VAR VALUE, --unsetenv VAR, --clearenv
                                 Change the environment
    --argv0 VALUE                Its argv[0]
    --new-session                A session without the caller's terminal
    --die-with-parent            End with this process, and that with its parent
    --as-pid-1                   Be pid 1, without an init
    --seccomp FD                 Load a filter from FD
    --add-seccomp-fd FD          The same, for more than one
    --exec-label LABEL, --file-label LABEL
                                 Labels of SELinux: not supported

Those who look on:
    --info-fd FD                 Write the pid and the namespaces to FD
    --json-status-fd FD          The same, and the exit code
    --block-fd FD                Wait for FD before the command starts
    --userns-block-fd FD         Wait for FD before the sandbox is made
    --sync-fd FD                 Keep FD open as long as the sandbox lasts
    --lock-file DEST             Keep a lock on DEST as long

Other:
    --args FD                    Read more options from FD, each with a NUL at its end
    --level-prefix               Begin messages with their priority
    --help                       Print this
    --version                    Print the version
`
