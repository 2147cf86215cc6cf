#include "textflag.h"

// func call(nr, a, b, c, d uintptr) uintptr
TEXT ·call(SB),NOSPLIT,$0-48
	MOVD	nr+0(FP), R8
	MOVD	a+8(FP), R0
	MOVD	b+16(FP), R1
	MOVD	c+24(FP), R2
	MOVD	d+32(FP), R3
	SVC
	MOVD	R0, ret+40(FP)
	RET

// func handler() uintptr
TEXT ·handler(SB),NOSPLIT,$0-8
	MOVD	$·sigLate(SB), R0
	MOVD	R0, ret+0(FP)
	RET

// func Restorer() uintptr
// The kernel's own, in the vdso, serves.
TEXT ·Restorer(SB),NOSPLIT,$0-8
	MOVD	ZR, ret+0(FP)
	RET

// sigLate is the signal handler.
TEXT ·sigLate(SB),NOSPLIT|NOFRAME,$0
	MOVD	$29, R0 // PR_SET_TIMERSLACK
	MOVD	·wanted(SB), R1
	MOVD	$167, R8 // prctl
	SVC
	CBNZ	R0, done
	MOVD	R1, ·given(SB)
done:
	RET
