//go:build linux

package main

// All that this program prints, on stderr: standard output is the command's.

import (
	"os"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"

	"sbx/engine/argv/mkosi"
	"sbx/engine/host"
	"sbx/engine/plan"
)

// peer is the version whose options this program has.
const peer = "27"

const help = `mkosi-sandbox [OPTIONS...] [--] [COMMAND [ARGUMENTS...]]

Run a command, or else bash, in a sandbox. SRC is a path of the host, or of the
sandbox itself where a + precedes it; DST is a path of the sandbox.

Files:
  --bind SRC DST              Bind SRC, with all mounts below it, to DST
  --ro-bind SRC DST           The same read-only
  --bind-try, --ro-bind-try SRC DST
                              Only if SRC exists
  --bind-nofollow, --ro-bind-nofollow SRC DST
                              Without following SRC, if it is a symlink
  --bind-foreign, --ro-bind-foreign SRC DST
                              Map the foreign uid range to a transient one
  --tmpfs DST                 Mount a tmpfs on DST
  --dev DST                   Mount a private /dev on DST
  --dir DST                   Make the directory DST
  --symlink TARGET DST        Make the symlink DST to TARGET
  --write DATA DST            Write DATA to the file DST
  --overlay-lowerdir DIR      Add a layer to the next overlay, on top of those before
  --overlay-upperdir DIR      Have the next overlay keep changes in DIR, or in "tmpfs"
  --overlay-workdir DIR       Name its work directory
  --overlay DST               Mount the overlay on DST

Environment:
  --setenv NAME VALUE         Set a variable
  --unsetenv NAME             Unset a variable
  --chdir DIR                 Start in DIR of the sandbox
  --same-dir                  Start in the current directory

Identity and namespaces:
  --become-root               Be root in the sandbox
  --map-foreign               Map the foreign uid range
  --map-delegate N            Map N more ranges of 65536 ids
  --unshare-net               Have a network namespace, if possible
  --unshare-ipc               Have an IPC namespace
  --suppress-chown            Have chown() and its like do nothing
  --suppress-sync             Have sync() and its like do nothing
  --pack-fds                  Number inherited files from 3, and set LISTEN_FDS

Other:
  --debug                     Log each operation before it is done
  --help, -h                  Show this help
  --version                   Show the version

Of older versions: --proc DST, --close-fd FD, --exec-fd FD, --suspend.

The exit code is the command's own; 127: it was not found; 1: the sandbox could
not be made.
`

func talk(s string) { os.Stderr.WriteString(s) }

func version() string {
	v := "sbx"
	if info, ok := debug.ReadBuildInfo(); ok {
		v += " " + info.Main.Version
	}
	return peer + " (" + v + ")\n"
}

// report prints diagnostics, with the options that they are about.
func report(args []string, ds ...plan.Diagnostic) {
	for _, d := range ds {
		d.Hint = hint(d)
		s := plan.Diagnostics{d}.Format(func(string) []byte { return mkosi.Source(args) }, style())
		if d.At.Pos == (plan.Pos{}) {
			s = mkosi.File + strings.TrimPrefix(s, "sbx")
		}
		talk(s)
	}
}

// hint words the hints that speak of scripts for a command line.
func hint(d plan.Diagnostic) string {
	if link, ok := strings.CutPrefix(d.Hint, `symlink("`); ok {
		target, link, _ := strings.Cut(link, `", "`)
		link, _, _ = strings.Cut(link, `"`)
		return "--symlink " + target + " " + link + " if /usr is there, or --ro-bind " + link + " " + link
	}
	switch {
	case d.What == plan.WhatSource && d.Errno == unix.ENOENT && d.Op == string(plan.Bind):
		return "--bind-try and --ro-bind-try skip what is missing"
	case d.Hint == "bind() the directory that holds it":
		return "--ro-bind shows the directory that holds it"
	case strings.Contains(d.Hint, " = ") || strings.Contains(d.Hint, "("):
		return ""
	}
	return d.Hint
}

// style returns how diagnostics are coloured: not unless stderr is a terminal.
func style() func(kind, text string) string {
	if os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" || !host.IsTerminal(2) {
		return nil
	}
	colors := map[string]string{"error": "1;31", "warning": "1;33", "mark": "1;32", "hint": "1;36"}
	return func(kind, text string) string { return "\x1b[" + colors[kind] + "m" + text + "\x1b[0m" }
}
