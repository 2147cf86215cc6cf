package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// colored reports whether f takes colours, no-color.org.
func colored(f *os.File) bool {
	if os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
