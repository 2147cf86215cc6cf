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
//   - All faults of a command line are told at once, before anything is made, by
//     the number of the word, and without a traceback.
//   - What the original refuses or breaks at, since it is written so, works:
//     --symlink into a directory that is missing; binds of devices and sockets to
//     where nothing is; overlays with ":" or "," in paths, with a single read-only
//     layer, or without a work directory; data that is not UTF-8.
//   - SIGPIPE and SIGXFSZ are not ignored in the command unless they are in the
//     caller. With the original they are since Python ignores them.
//   - The root, where nothing is mounted there, and what --dev makes are nosuid, and
//     nodev or noexec as the engine makes them everywhere.
//   - The loopback interface of a new network namespace is up.
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
