// Package deepstack, imported for that alone, has the main goroutine's stack grow once
// before most packages are initialised, and not by and by as those and the program go
// deeper. Each time costs the copy, the tables it takes, and pages that a small stack
// leaves behind.
//
// Go initialises packages in the order of their import paths, as far as imports allow
// (specification, "Package initialization"): this one imports nothing, and what is
// initialised before it needs little.
package deepstack

func init() { grow() }

// grow makes room on the stack.
func grow()
