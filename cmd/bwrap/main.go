//go:build linux

// Command bwrap takes the command lines of bubblewrap, bwrap(1), version 0.11, and
// makes the same sandboxes with sbx's engine. It is for those who call that
// program, and starts faster, the more so the more it binds.
//
// What it does otherwise than the original, and why:
//
//   - No symlink in the sandbox leads a bind, file, directory or symlink to the
//     host: all destinations are resolved below the sandbox's root, and absolute
//     symlinks mean what they mean in it (CVE-2026-87766). In the original they are resolved on the
//     root that the set-up takes place in, where the host's is as well.
//   - All sources and destinations that are at fault are told at once, a line each,
//     before anything is made.
//   - What comes through --file, --bind-data, --ro-bind-data and --seccomp is read
//     before the sandbox is made, in the order of the words, and at most 64 MiB of
//     it for one file.
//   - There is one user namespace where the original needs two: devpts no longer
//     asks for a mapped root, so /dev/pts itself belongs to nobody there.
//     --disable-userns still makes a second.
//   - --file into a FIFO that nobody reads is a fault, and does not wait for a reader.
//   - An overlay has index, metacopy and xino off beside userxattr, so that its upper
//     directory can be used again with other layers, and any bytes in its paths and
//     hundreds of layers are fine. A layer given twice is a fault, and so is an upper or
//     work directory, of which the kernel does not say what two overlays make, and a
//     work directory that holds something named work but for what the kernel has made:
//     it would delete that.
//   - Mounts have a root of their own instead of a directory of the one that the
//     set-up takes place in; --mqueue is nosuid, nodev and noexec.
//   - The command's capabilities go together with its bounding set also where there
//     is no new user namespace and --cap-add or --cap-drop is given, and --cap-drop
//     behind --cap-add ALL counts also where the caller, root, lacks some of them.
//   - The init, pid 1, is not under the filters of --seccomp, and keeps its
//     capabilities, so that a command without them cannot look into it. It has a
//     session of its own.
//   - A caller with some capabilities but without uid 0 is served like any other.
//   - File descriptors of --userns, --userns2 and --pidns are not passed on to the
//     command. Of 0, 1 and 2 those that are closed are /dev/null: the Go runtime opens
//     it in their place, lest a file gets such a number.
//   - A descriptor can be bound twice, and over a symlink, which the original takes
//     for a race; one that tells and is not open is a fault before anything is made.
//   - An --overlay-src that lacks its argument is told, and does not take the word
//     behind it.
//   - What the caller may not look into, an own directory of mode 0 for one, is a
//     fault. The original may, by its capabilities in the new user namespace.
//   - --bind-try and its like pass over a source below a file as over any that is
//     missing; so they do with an empty one and a relative one, which the original
//     then takes from the root of the host.
//   - All mounts below a bind get its flags, those too that lie over others at the
//     same place. --ro-overlay is mounted read-only, which it is anyway.
//   - The root of --tmp-overlay has the mode of the topmost directory, not always 0755,
//     and that of a …/tmp has 1777, as it is for everybody. Layers that are the same or
//     within each other are a fault.
//   - A "/" or "/." at the end of a destination does not matter. A file of --bind-data
//     can be mounted over and made read-only, an --mqueue mounted on another, and a bind
//     over the symlink that names its destination. Set-id bits of --perms stay on files.
//   - A lock that cannot be had is a fault before the command runs, and where the
//     set-up fails --info-fd and --json-status-fd tell of no child.
//   - With --pidns there is one process more between this one and the command.
//   - Root without CAP_SYS_ADMIN gets a user namespace, and so does root without
//     CAP_NET_ADMIN for a network namespace, in which the loopback interface then is
//     up. Its files in /proc are read-only also where it has another uid in the sandbox.
//   - PWD is absolute also where --chdir is not, and an empty --hostname leaves the
//     name. Numbers that are out of range, or have something behind them, are faults.
//   - Of a name that is in the environment twice only the first is passed on.
//   - Of the signals that the caller ignores only SIGHUP and SIGINT stay ignored, in
//     this program as in the command, and SIGTERM, SIGCHLD and the signals 33 and 34 are
//     not blocked. The Go runtime puts its handlers in the place of the others before
//     main begins, and what was there cannot be found out then. So SIGQUIT ends what a
//     shell without job control has started in the background.
//   - Some faults have other words: a destination at or below a symlink that leads
//     nowhere is one of its parents, an overlay that cannot be mounted is told without
//     its options, a layer by its absolute path, a source below a file as one that is
//     missing, a filter that is not valid by its size; the advice where there are no
//     user namespaces is our own.
//   - --exec-label and --file-label are refused.
//   - It is never set-user-ID.
package main

import (
	"os"
)

func main() {
	os.Exit(start(os.Args))
}
