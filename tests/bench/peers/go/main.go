// The rows in Go, one run of one row: `go-peer ROW N`. What it prints, what
// does not count and what exit 77 means: tests/bench/bench.h, whose sizes are
// repeated below. One processor (GOMAXPROCS=1) except for the rows that are
// about two threads. The collector's work is part of the price and counts.
package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

const (
	skip   = 77
	fan    = 1000
	timers = 100000
	herd   = 10000
	warm   = 2000
)

type bench struct {
	n             int
	wallNs, cpuNs int64
	wallAt        time.Time
	cpuAt         int64
	bytes         int
}

func cpu() int64 {
	const processCPU = 2
	var ts syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, processCPU, uintptr(unsafe.Pointer(&ts)), 0)
	return ts.Nano()
}

func (b *bench) start() {
	b.cpuAt = cpu()
	b.wallAt = time.Now()
}

func (b *bench) halt() {
	b.wallNs += int64(time.Since(b.wallAt))
	b.cpuNs += cpu() - b.cpuAt
}

func (b *bench) print() {
	n := float64(b.n)
	if b.bytes > 0 {
		fmt.Printf("%.1f %.1f\n", float64(b.bytes)/n, float64(b.bytes)/n)
	} else {
		fmt.Printf("%.3f %.3f\n", float64(b.wallNs)/n, float64(b.cpuNs)/n)
	}
}

func least(a, b int) int {
	if a < b {
		return a
	}
	return b
}

func resident() int {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		panic(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	if err != nil {
		panic(err)
	}
	return pages * os.Getpagesize()
}

// --- goroutines ---------------------------------------------------------------------------------

func twoYielders(each int) {
	var wg sync.WaitGroup
	wg.Add(2)
	for i := 0; i < 2; i++ {
		go func() {
			for j := 0; j < each; j++ {
				runtime.Gosched()
			}
			wg.Done()
		}()
	}
	wg.Wait()
}

func rowYield(b *bench) {
	twoYielders(warm)
	b.start()
	twoYielders(b.n / 2)
	b.halt()
}

func spawnAndJoin(n int) {
	var wg sync.WaitGroup
	wg.Add(n)
	for i := 0; i < n; i++ {
		go wg.Done()
	}
	wg.Wait()
}

func rowSpawn(b *bench) {
	spawnAndJoin(fan)
	b.start()
	for left := b.n; left > 0; {
		n := least(left, fan)
		spawnAndJoin(n)
		left -= n
	}
	b.halt()
}

// The nearest thing to a region: a context that is cancelled at the end, and a group that is waited for.
func region(parent context.Context, n int) {
	ctx, cancel := context.WithCancel(parent)
	var wg sync.WaitGroup
	wg.Add(n)
	for i := 0; i < n; i++ {
		go func() {
			if ctx.Err() == nil {
				wg.Done()
			}
		}()
	}
	wg.Wait()
	cancel()
}

func rowRegion(b *bench, n int) {
	parent, cancel := context.WithCancel(context.Background())
	defer cancel()
	for i := 0; i < warm; i++ {
		region(parent, n)
	}
	b.start()
	for i := 0; i < b.n; i++ {
		region(parent, n)
	}
	b.halt()
}

func rowCheckpoint(b *bench) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	b.start()
	for i := 0; i < b.n && ctx.Err() == nil; i++ {
	}
	b.halt()
}

// --- channels: no two phases in Go, a send is a send --------------------------------------------

func rowChannel(b *bench) {
	ch := make(chan int, 16)
	b.start()
	for i := 0; i < b.n; i++ {
		ch <- i
		if <-ch != i {
			panic("another value")
		}
	}
	b.halt()
}

func pingPong(there, back chan int, n int) {
	for i := 0; i < n; i++ {
		there <- i
		if <-back != i {
			panic("another value")
		}
	}
}

func rowPingPong(b *bench) {
	there, back := make(chan int, 1), make(chan int, 1)
	go func() {
		for i := range there {
			back <- i
		}
	}()
	pingPong(there, back, warm)
	b.start()
	pingPong(there, back, b.n)
	b.halt()
	close(there)
}

// --- timers -------------------------------------------------------------------------------------

var (
	seed  uint64 = 88172645463325252
	timer [2 * timers]*time.Timer
)

func someDelay() time.Duration {
	seed ^= seed << 13
	seed ^= seed >> 7
	seed ^= seed << 17
	return 1000*time.Second + time.Duration(seed%uint64(1000*time.Second))
}

func timersStart(from, n int) {
	for i := from; i < from+n; i++ {
		timer[i] = time.NewTimer(someDelay())
	}
}

func timersStop(from, n int) {
	for i := from; i < from+n; i++ {
		timer[i].Stop()
	}
}

func rowTimerStart(b *bench) {
	timersStart(0, timers)
	for left := b.n; left > 0; {
		n := least(left, timers)
		b.start()
		timersStart(timers, n)
		b.halt()
		left -= n
		if left > 0 {
			timersStop(timers, n)
		}
	}
}

func rowTimerRestart(b *bench) {
	timersStart(0, timers)
	b.start()
	for left := b.n; left > 0; {
		n := least(left, timers)
		for i := 0; i < n; i++ {
			timer[i].Reset(someDelay())
		}
		left -= n
	}
	b.halt()
}

func rowTimerStop(b *bench) {
	timersStart(0, 2*timers)
	for left := b.n; left > 0; {
		n := least(left, timers)
		b.start()
		timersStop(timers, n)
		b.halt()
		left -= n
		if left > 0 {
			timersStart(timers, n)
		}
	}
}

// --- parked, cancel: a goroutine waits for a timer or the end of its context --------------------

func park(ctx context.Context, wg *sync.WaitGroup, n int) {
	var ready sync.WaitGroup
	wg.Add(n)
	ready.Add(n)
	for i := 0; i < n; i++ {
		go func() {
			t := time.NewTimer(time.Hour)
			ready.Done()
			select {
			case <-t.C:
			case <-ctx.Done():
				t.Stop()
			}
			wg.Done()
		}()
	}
	ready.Wait()
	runtime.Gosched()
}

func rowParked(b *bench) {
	var wg sync.WaitGroup
	before := resident()
	park(context.Background(), &wg, b.n)
	b.bytes = resident() - before
	b.print()
	os.Exit(0)
}

func rowCancel(b *bench) {
	for left := b.n; left > 0; {
		n := least(left, herd)
		var wg sync.WaitGroup
		ctx, cancel := context.WithCancel(context.Background())
		park(ctx, &wg, n)
		b.start()
		cancel()
		wg.Wait()
		b.halt()
		left -= n
	}
}

// --- port: two goroutines, each locked to a thread of its own -----------------------------------

// As bench_pin: the first or the last processor of the machine; the calling thread only.
func pin(last bool) {
	var set [16]uint64
	cpu := 0
	if last {
		cpu = runtime.NumCPU() - 1
	}
	set[cpu/64] = 1 << (cpu % 64)
	syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, 0, unsafe.Sizeof(set),
		uintptr(unsafe.Pointer(&set)))
}

func rowPort(b *bench, cores bool) {
	runtime.GOMAXPROCS(2)
	there, back := make(chan int, 1), make(chan int, 1)
	go func() {
		runtime.LockOSThread()
		pin(cores)
		for i := range there {
			back <- i
		}
	}()
	runtime.LockOSThread()
	pin(false)
	pingPong(there, back, warm)
	b.start()
	pingPong(there, back, b.n)
	b.halt()
	close(there)
}

func main() {
	b := &bench{}
	if len(os.Args) == 3 {
		b.n, _ = strconv.Atoi(os.Args[2])
	}
	if b.n <= 0 {
		fmt.Fprintln(os.Stderr, "usage: go-peer ROW N")
		os.Exit(2)
	}
	runtime.GOMAXPROCS(1)
	rows := map[string]func(b *bench){
		"yield":         rowYield,
		"spawn":         rowSpawn,
		"region":        func(b *bench) { rowRegion(b, 0) },
		"region-spawn":  func(b *bench) { rowRegion(b, 1) },
		"checkpoint":    rowCheckpoint,
		"channel":       rowChannel,
		"ping-pong":     rowPingPong,
		"timer-start":   rowTimerStart,
		"timer-restart": rowTimerRestart,
		"timer-stop":    rowTimerStop,
		"parked":        rowParked,
		"cancel":        rowCancel,
		"port":          func(b *bench) { rowPort(b, false) },
		"port-cores":    func(b *bench) { rowPort(b, true) },
	}
	row, known := rows[os.Args[1]]
	if !known {
		os.Exit(skip)
	}
	row(b)
	b.print()
}
