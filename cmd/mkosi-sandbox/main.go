//go:build linux

// Command mkosi-sandbox takes the command lines of mkosi-sandbox(1) and makes the
// same sandboxes with sbx's engine. It is for those who call that program, mkosi
// among them, and starts faster.
//
// What it does otherwise than the original, and why:
//
//   - No symlink in the sandbox leads a bind, write, directory or symlink to the
//     host: all destinations are resolved below the sandbox's root. The original
//     resolves the directories that a --symlink and a file's bind over a symlink lie
//     in on its own root.
//   - The faults of a command line are told at once, by the number of the word and
//     without a traceback, before anything is made as far as they can be foreseen. A
//     command that is not found is named.
//   - What the original refuses or breaks at, since it is written so, works:
//     --symlink into a directory that is missing, over a symlink to a directory, or
//     to where a --write and a --bind go; binds of devices and
//     sockets to where nothing is; overlays of a single layer, and with ":" or "," in
//     paths; --pack-fds without a /proc; data that is not UTF-8.
//   - An overlay with an upper directory "tmpfs" is one mount, not one over another,
//     and one without an upper directory is mounted read-only, which it is anyway.
//     Its root has the mode of the topmost directory where the original's has 0755.
//   - --write into a FIFO that nobody reads is a fault, and does not wait for a reader.
//   - SIGPIPE and SIGXFSZ are not ignored in the command, and LC_CTYPE is not set:
//     Python does that. Other signals that the caller ignores have their usual effect
//     in the command, but for SIGHUP and SIGINT, and SIGTERM, SIGCHLD and the signals
//     33 and 34 are not blocked: the Go runtime puts its handlers in their place before
//     main begins, and what was there cannot be found out then.
//   - Of the descriptors 0, 1 and 2 those that are closed are /dev/null in the command:
//     the Go runtime opens it in their place, lest a file gets such a number.
//   - --debug leaves out the binds that --bind-try and its like skip.
//   - Of a name that is in the environment twice only the first is passed on.
//   - What the caller may not look into, an own directory of mode 0 for one, is a
//     fault. The original may, by its capabilities in the new user namespace.
//   - The root, where nothing is mounted there, and what --dev makes are nosuid, and
//     nodev or noexec as the engine makes them everywhere. The file systems have other
//     names as their sources.
//   - The loopback interface of a new network namespace is up, so that a build can
//     test its servers.
//   - --suppress-sync lets msync() pass where that does not write to a disk.
//   - --map-foreign takes systemd-nsresourced wherever it takes a user namespace,
//     CAP_CHOWN or not: a process cannot map more than its own id by itself.
//   - Layers of an overlay that are the same or within each other are a fault, and so
//     are two overlays with one upper or work directory, and a destination below a
//     symlink that --bind-nofollow has bound. So is a work directory that holds
//     something named work but for what the kernel has made: it would delete that.
//   - What --bind +SRC names has to be there before: the directories that the bind
//     makes for its destination come too late.
//   - /proc/self/cwd as a source is the caller's working directory. In the original it
//     is / by then, the whole host.
//   - A source that is a symlink to itself is a fault. The original binds the symlink
//     where a file is at the destination.
//   - --bind +SRC / is refused: the sandbox's root cannot be a part of itself.
//   - --help and --version are about this program.
package main

import (
	"os"
	"runtime"
)

// The main thread is the one that enters a user namespace.
func init() { runtime.LockOSThread() }

func main() {
	if os.Args[0] == holderName {
		hold()
		os.Exit(0)
	}
	os.Exit(start(os.Args[1:]))
}
