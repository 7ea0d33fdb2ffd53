/*
 * The parts of the switch that C cannot say. See qrt__fiber_jump in fiber.c.
 *
 * qrt__fiber_start is where a new fiber begins: function and argument lie on
 * its stack (x86-64), or come in callee-saved registers (aarch64).
 */
#if defined(__x86_64__)
	.text
	.globl qrt__fiber_start
	.hidden qrt__fiber_start
	.type qrt__fiber_start, @function
qrt__fiber_start:
	.cfi_startproc
	.cfi_undefined rip
	popq %rdi
	popq %rax
	xorl %ebp, %ebp
	jmpq *%rax
	.cfi_endproc
	.size qrt__fiber_start, .-qrt__fiber_start
	.section .note.GNU-stack, "", @progbits
#elif defined(__aarch64__)
	.text
	.globl qrt__fiber_jump
	.hidden qrt__fiber_jump
	.type qrt__fiber_jump, %function
qrt__fiber_jump:
	.cfi_startproc
	sub sp, sp, #160
	stp x19, x20, [sp, #0]
	stp x21, x22, [sp, #16]
	stp x23, x24, [sp, #32]
	stp x25, x26, [sp, #48]
	stp x27, x28, [sp, #64]
	stp x29, x30, [sp, #80]
	stp d8, d9, [sp, #96]
	stp d10, d11, [sp, #112]
	stp d12, d13, [sp, #128]
	stp d14, d15, [sp, #144]
	mov x9, sp
	str x9, [x0]
	mov sp, x1
	ldp x19, x20, [sp, #0]
	ldp x21, x22, [sp, #16]
	ldp x23, x24, [sp, #32]
	ldp x25, x26, [sp, #48]
	ldp x27, x28, [sp, #64]
	ldp x29, x30, [sp, #80]
	ldp d8, d9, [sp, #96]
	ldp d10, d11, [sp, #112]
	ldp d12, d13, [sp, #128]
	ldp d14, d15, [sp, #144]
	add sp, sp, #160
	mov x9, x30
	br x9
	.cfi_endproc
	.size qrt__fiber_jump, .-qrt__fiber_jump

	.globl qrt__fiber_start
	.hidden qrt__fiber_start
	.type qrt__fiber_start, %function
qrt__fiber_start:
	.cfi_startproc
	.cfi_undefined x30
	mov x0, x20
	mov x29, xzr
	mov x30, xzr
	br x19
	.cfi_endproc
	.size qrt__fiber_start, .-qrt__fiber_start
	.section .note.GNU-stack, "", %progbits
#endif
