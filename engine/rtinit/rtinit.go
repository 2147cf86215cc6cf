// Package rtinit sets the Go runtime up for a program that lives for some
// milliseconds, before most packages are initialised.
//
// The main goroutine's stack grows once, and not by and by as the initialisers and
// the program go deeper. Each time costs the copy, the tables it takes, and pages that a
// small stack leaves behind.
//
// The runtime's monitor, a thread of its own (sysmon in runtime/proc.go), may be
// late. It looks after the others every 20 µs at first, which in a short program
// is all the time, and may be on the processor that the program or the sandbox is on;
// it is 10 ms by itself where it has had nothing to do for long.
//
// Go initialises packages in the order of their import paths, as far as imports allow
// (specification, "Package initialization"): this one imports nothing, and what is
// initialised before it needs little.
package rtinit

func init() {
	beLate()
	grow()
}

// grow makes room on the stack.
func grow()
