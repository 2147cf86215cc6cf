#include "textflag.h"

// func call(nr, a, b, c, d uintptr) uintptr
TEXT ·call(SB),NOSPLIT,$0-48
	MOVQ	nr+0(FP), AX
	MOVQ	a+8(FP), DI
	MOVQ	b+16(FP), SI
	MOVQ	c+24(FP), DX
	MOVQ	d+32(FP), R10
	SYSCALL
	MOVQ	AX, ret+40(FP)
	RET

// func handler() uintptr
TEXT ·handler(SB),NOSPLIT,$0-8
	LEAQ	·sigLate(SB), AX
	MOVQ	AX, ret+0(FP)
	RET

// func Restorer() uintptr
TEXT ·Restorer(SB),NOSPLIT,$0-8
	LEAQ	·sigReturn(SB), AX
	MOVQ	AX, ret+0(FP)
	RET

// sigLate is the signal handler.
TEXT ·sigLate(SB),NOSPLIT|NOFRAME,$0
	MOVL	$29, DI // PR_SET_TIMERSLACK
	MOVQ	·wanted(SB), SI
	MOVL	$157, AX // prctl
	SYSCALL
	TESTQ	AX, AX
	JNE	done
	MOVQ	SI, ·given(SB)
done:
	RET

// sigReturn: this architecture has none in the vdso.
TEXT ·sigReturn(SB),NOSPLIT|NOFRAME,$0
	MOVL	$15, AX // rt_sigreturn
	SYSCALL
	INT	$3
