// Package int80 makes i386 system calls from a 64-bit process, for the tests of
// package seccomp: no 32-bit compiler or C library is needed.
package int80
