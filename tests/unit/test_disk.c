/*
 * The simulated disk itself, without SQLite: what is synced and what not, what
 * a power loss can leave, locks, shared memory, limits, and dead handles.
 */
#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/lab/disk.h"
#include "backends/lab/random.h"

/* Choices that are given, then those of a generator, then 0. */
struct rig {
	struct qrt__disk *disk;
	const uint64_t *given;
	size_t n_given, asked;
	struct qrt__lab_random random;
	bool by_chance;
	enum qrt_err fails; /* the next operation */
	bool crashes;	    /* at the next operation */
	enum qrt__disk_op op;
	char file[QRT__DISK_PATH_MAX + 1];
	int64_t spent_ns;
};

static uint64_t rig_choose(void *arg, uint64_t n)
{
	struct rig *rig = arg;
	uint64_t choice = rig->asked < rig->n_given ? rig->given[rig->asked]
			  : rig->by_chance	    ? qrt__lab_below(&rig->random, n)
						    : 0;
	rig->asked++;
	assert_true(choice < n);
	return choice;
}

static enum qrt_err rig_op(void *arg, enum qrt__disk_op op, const char *file)
{
	struct rig *rig = arg;
	enum qrt_err err = rig->fails;
	rig->fails = QRT_OK;
	rig->op = op;
	snprintf(rig->file, sizeof(rig->file), "%s", file);
	if (rig->crashes) {
		rig->crashes = false;
		assert_int_equal(qrt__disk_crash(rig->disk), QRT_OK);
	}
	return err;
}

static void rig_spend(void *arg, int64_t ns)
{
	struct rig *rig = arg;
	rig->spent_ns += ns;
}

static void rig_up(struct rig *rig, const struct qrt__disk_options *with)
{
	struct qrt__disk_options opts = *with;
	*rig = (struct rig){0};
	opts.hooks = (struct qrt__disk_hooks){
	    .arg = rig, .choose = rig_choose, .op = rig_op, .spend = rig_spend};
	assert_int_equal(qrt__disk_create(&opts, &rig->disk), QRT_OK);
}

#define RIG_UP(rig, ...) rig_up(rig, &(struct qrt__disk_options){__VA_ARGS__})

static void choices(struct rig *rig, const uint64_t *given, size_t n)
{
	rig->given = given;
	rig->n_given = n;
	rig->asked = 0;
}

#define CHOICES(rig, ...)                                                                          \
	choices(rig, (const uint64_t[]){__VA_ARGS__},                                              \
		sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

/* As in disk_crash.c. */
enum { ALL_KEPT, ANYTHING, MOSTLY_KEPT, ALL_LOST };
enum { KEPT, LOST, PREFIX, SCATTERED, SLICED, RUINED, GROWN };

static struct qrt__disk_file *opened(struct rig *rig, const char *path)
{
	struct qrt__disk_file *file = NULL;
	assert_int_equal(qrt__disk_open(rig->disk, path, QRT__DISK_CREATE, &file), QRT_OK);
	return file;
}

static void put(struct qrt__disk_file *file, const char *text, int64_t offset)
{
	assert_int_equal(qrt__disk_write(file, text, strlen(text), offset), QRT_OK);
}

static void synced(struct qrt__disk_file *file)
{
	assert_int_equal(qrt__disk_sync(file), QRT_OK);
}

/* @text NULL: there is no such file. */
static void holds(const struct qrt__disk *disk, const char *path, const char *text)
{
	size_t n = 0;
	const char *got = qrt__disk_get(disk, path, &n);
	if (!text) {
		assert_null(got);
		return;
	}
	assert_non_null(got);
	assert_int_equal(n, strlen(text));
	assert_memory_equal(got, text, n);
}

static void crash(struct rig *rig)
{
	assert_int_equal(qrt__disk_crash(rig->disk), QRT_OK);
}

/* --- files --------------------------------------------------------------------------------- */

static void what_is_written_is_read_by_all_and_past_the_end_are_zeros(void **state)
{
	struct rig rig;
	char buf[8];
	size_t n = 99;
	int64_t size = -1;
	(void)state;
	RIG_UP(&rig, 0);
	struct qrt__disk_file *a = opened(&rig, "d/a"), *b = opened(&rig, "./d//x/../a");
	put(a, "hello", 3);
	assert_int_equal(rig.op, QRT__DISK_WRITE);
	assert_string_equal(rig.file, "d/a");
	assert_int_equal(qrt__disk_read(b, buf, 8, 2, &n), QRT_OK);
	assert_int_equal(n, 6);
	assert_memory_equal(buf, "\0hello\0\0", 8);
	assert_int_equal(qrt__disk_read(b, buf, 8, 100, &n), QRT_OK);
	assert_int_equal(n, 0);
	assert_memory_equal(buf, "\0\0\0\0\0\0\0\0", 8);
	assert_int_equal(qrt__disk_read(b, buf, 8, -1, &n), QRT_EINVAL);
	assert_int_equal(qrt__disk_write(b, buf, 8, -1), QRT_EINVAL);
	assert_int_equal(qrt__disk_truncate(a, 4), QRT_OK);
	assert_int_equal(qrt__disk_truncate(a, 6), QRT_OK);
	assert_int_equal(qrt__disk_size(b, &size), QRT_OK);
	assert_int_equal(size, 6);
	assert_int_equal(qrt__disk_read(b, buf, 8, 0, &n), QRT_OK);
	assert_memory_equal(buf, "\0\0\0h\0\0\0\0", 8);
	qrt__disk_close(&a);
	qrt__disk_close(&b);
	qrt__disk_close(&b);
	qrt__disk_destroy(&rig.disk);
	qrt__disk_destroy(&rig.disk);
}

static void one_file_has_one_name(void **state)
{
	static const char *const same[][2] = {
	    {"a", "a"},	     {"./a", "a"},	 {"a/./b", "a/b"}, {"//a//b", "/a/b"},
	    {"a/../b", "b"}, {"/../../a", "/a"}, {"../a", "a"},	   {"/a/b/../../c", "/c"},
	};
	static const char *const none[] = {"", "/", ".", "..", "a/..", "///"};
	char path[QRT__DISK_PATH_MAX + 1], text[2 * QRT__DISK_PATH_MAX];
	(void)state;
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		assert_int_equal(qrt__disk_path(same[i][0], path), QRT_OK);
		assert_string_equal(path, same[i][1]);
	}
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		assert_int_equal(qrt__disk_path(none[i], path), QRT_EINVAL);
	}
	memset(text, 'x', sizeof(text));
	text[QRT__DISK_PATH_MAX] = '\0';
	assert_int_equal(qrt__disk_path(text, path), QRT_OK);
	text[QRT__DISK_PATH_MAX] = 'x';
	text[QRT__DISK_PATH_MAX + 1] = '\0';
	assert_int_equal(qrt__disk_path(text, path), QRT_EINVAL);
	text[QRT__DISK_PATH_MAX - 1] = '/';
	assert_int_equal(qrt__disk_path(text, path), QRT_EINVAL);
}

static void a_deleted_file_lives_as_long_as_its_handles(void **state)
{
	struct rig rig;
	char buf[1];
	size_t n = 0;
	struct qrt__disk_file *temp = NULL;
	(void)state;
	RIG_UP(&rig, 0);
	struct qrt__disk_file *a = opened(&rig, "a");
	put(a, "x", 0);
	assert_int_equal(qrt__disk_delete(rig.disk, "a", false), QRT_OK);
	assert_int_equal(qrt__disk_delete(rig.disk, "a", false), QRT_ENOENT);
	holds(rig.disk, "a", NULL);
	struct qrt__disk_file *again = opened(&rig, "a");
	put(again, "new", 0);
	assert_int_equal(qrt__disk_read(a, buf, 1, 0, &n), QRT_OK);
	assert_memory_equal(buf, "x", 1);
	assert_int_equal(qrt__disk_stats(rig.disk).bytes, 4);
	qrt__disk_close(&a);
	assert_int_equal(qrt__disk_stats(rig.disk).bytes, 3);
	/* One that goes with its handle, by name, and one that never had one. */
	assert_int_equal(
	    qrt__disk_open(rig.disk, "t", QRT__DISK_CREATE | QRT__DISK_DELETE_ON_CLOSE, &temp),
	    QRT_OK);
	assert_int_equal(qrt__disk_delete(rig.disk, "t", false), QRT_OK);
	assert_int_equal(qrt__disk_put(rig.disk, "t", "", 0), QRT_OK);
	qrt__disk_close(&temp); /* that is another one */
	holds(rig.disk, "t", "");
	assert_int_equal(qrt__disk_open(rig.disk, "t", QRT__DISK_DELETE_ON_CLOSE, &temp), QRT_OK);
	qrt__disk_close(&temp);
	holds(rig.disk, "t", NULL);
	assert_int_equal(qrt__disk_open(rig.disk, NULL, QRT__DISK_CREATE, &temp), QRT_OK);
	put(temp, "12345", 0);
	assert_string_equal(rig.file, "");
	assert_int_equal(qrt__disk_stats(rig.disk).bytes, 8);
	assert_int_equal(qrt__disk_stats(rig.disk).files, 1);
	qrt__disk_close(&temp);
	assert_int_equal(qrt__disk_stats(rig.disk).bytes, 3);
	qrt__disk_close(&again);
	qrt__disk_destroy(&rig.disk);
}

static void opening_says_what_is_wrong(void **state)
{
	struct rig rig;
	struct qrt__disk_file *file = NULL;
	int64_t n = 0;
	(void)state;
	RIG_UP(&rig, .files_max = 1);
	assert_int_equal(qrt__disk_open(rig.disk, "a", 0, &file), QRT_ENOENT);
	assert_int_equal(qrt__disk_access(rig.disk, "a", &n), QRT_OK);
	assert_int_equal(n, -1);
	struct qrt__disk_file *a = opened(&rig, "a");
	assert_int_equal(qrt__disk_access(rig.disk, "a", &n), QRT_OK);
	assert_int_equal(n, 0);
	assert_int_equal(
	    qrt__disk_open(rig.disk, "a", QRT__DISK_CREATE | QRT__DISK_EXCLUSIVE, &file),
	    QRT_EEXIST);
	assert_int_equal(qrt__disk_open(rig.disk, "b", QRT__DISK_CREATE, &file), QRT_ELIMIT);
	assert_int_equal(qrt__disk_open(rig.disk, "..", QRT__DISK_CREATE, &file), QRT_EINVAL);
	assert_int_equal(qrt__disk_open(rig.disk, "a", QRT__DISK_READ_ONLY, &file), QRT_OK);
	assert_int_equal(qrt__disk_write(file, "x", 1, 0), QRT_EACCES);
	assert_int_equal(qrt__disk_truncate(file, 0), QRT_EACCES);
	qrt__disk_close(&file);
	struct qrt__disk_file *many[QRT__DISK_HANDLES_MAX - 1];
	for (size_t i = 0; i < QRT__DISK_HANDLES_MAX - 1; i++) {
		many[i] = opened(&rig, "a");
	}
	assert_int_equal(qrt__disk_open(rig.disk, "a", 0, &file), QRT_EMFILE);
	for (size_t i = 0; i < QRT__DISK_HANDLES_MAX - 1; i++) {
		qrt__disk_close(&many[i]);
	}
	qrt__disk_close(&a);
	assert_int_equal(qrt__disk_stats(rig.disk).handles, 0);
	qrt__disk_destroy(&rig.disk);
	struct qrt__disk *none = NULL;
	assert_int_equal(qrt__disk_create(&(struct qrt__disk_options){.sector = 1000}, &none),
			 QRT_EINVAL);
	assert_int_equal(qrt__disk_create(&(struct qrt__disk_options){.sector = 131072}, &none),
			 QRT_EINVAL);
	assert_int_equal(qrt__disk_create(&(struct qrt__disk_options){.size_max = SIZE_MAX}, &none),
			 QRT_EINVAL);
}

static void what_does_not_fit_is_not_written_at_all(void **state)
{
	struct rig rig;
	(void)state;
	RIG_UP(&rig, .size_max = 10);
	struct qrt__disk_file *a = opened(&rig, "a"), *b = opened(&rig, "b");
	put(a, "123456", 0);
	put(b, "1234", 0);
	assert_int_equal(qrt__disk_write(a, "xy", 2, 5), QRT_ELIMIT);
	assert_int_equal(qrt__disk_write(a, "x", 1, INT64_MAX), QRT_ELIMIT);
	assert_int_equal(qrt__disk_truncate(a, 7), QRT_ELIMIT);
	holds(rig.disk, "a", "123456");
	put(a, "xyz", 3); /* nothing more */
	assert_int_equal(qrt__disk_put(rig.disk, "c", "1", 1), QRT_ELIMIT);
	holds(rig.disk, "c", NULL);
	assert_int_equal(qrt__disk_truncate(b, 3), QRT_OK);
	put(a, "!", 6);
	holds(rig.disk, "a", "123xyz!");
	crash(&rig);
	holds(rig.disk, "a", "123xyz!");
	holds(rig.disk, "b", "123");
	qrt__disk_close(&a);
	qrt__disk_close(&b);
	qrt__disk_destroy(&rig.disk);
}

/* --- power loss ---------------------------------------------------------------------------- */

static void what_is_synced_stays_and_the_rest_may_go(void **state)
{
	struct rig rig;
	struct qrt__disk *left = NULL;
	(void)state;
	RIG_UP(&rig, 0);
	assert_int_equal(qrt__disk_put(rig.disk, "old", "old", 3), QRT_OK);
	struct qrt__disk_file *a = opened(&rig, "a"), *b = opened(&rig, "b");
	struct qrt__disk_file *old = opened(&rig, "old");
	put(a, "one", 0);
	put(old, "new", 0);
	synced(a);
	put(a, "two", 3);
	put(b, "b", 0);
	assert_int_equal(qrt__disk_delete(rig.disk, "old", false), QRT_OK);
	CHOICES(&rig, ALL_LOST);
	assert_int_equal(qrt__disk_clone_crashed(rig.disk, &left), QRT_OK);
	holds(left, "a", "one");
	holds(left, "b", NULL);
	holds(left, "old", "old");
	assert_int_equal(qrt__disk_stats(left).bytes, 6);
	assert_int_equal(qrt__disk_stats(left).files, 2);
	qrt__disk_destroy(&left);
	CHOICES(&rig, ALL_KEPT);
	assert_int_equal(qrt__disk_clone_crashed(rig.disk, &left), QRT_OK);
	holds(left, "a", "onetwo");
	holds(left, "b", "b");
	holds(left, "old", NULL);
	qrt__disk_destroy(&left);
	/* The old one goes on as if nothing had been. */
	put(a, "!", 6);
	holds(rig.disk, "a", "onetwo!");
	synced(a);
	CHOICES(&rig, ALL_LOST);
	crash(&rig);
	holds(rig.disk, "a", "onetwo!");
	holds(rig.disk, "b", NULL);
	holds(rig.disk, "old", "old");
	qrt__disk_close(&a);
	qrt__disk_close(&old);
	qrt__disk_close(&b);
	qrt__disk_destroy(&rig.disk);
}

static void a_name_lasts_when_its_file_or_its_directory_is_synced(void **state)
{
	struct rig rig;
	struct qrt__disk *left = NULL;
	struct qrt__disk_file *j = NULL;
	(void)state;
	RIG_UP(&rig, 0);
	assert_int_equal(qrt__disk_put(rig.disk, "d/x", "x", 1), QRT_OK);
	assert_int_equal(qrt__disk_put(rig.disk, "e/x", "x", 1), QRT_OK);
	assert_int_equal(qrt__disk_delete(rig.disk, "d/x", false), QRT_OK);
	assert_int_equal(qrt__disk_delete(rig.disk, "e/x", false), QRT_OK);
	struct qrt__disk_file *a = opened(&rig, "d/a");
	synced(a); /* its own name only */
	CHOICES(&rig, ALL_LOST);
	assert_int_equal(qrt__disk_clone_crashed(rig.disk, &left), QRT_OK);
	holds(left, "d/a", "");
	holds(left, "d/x", "x");
	qrt__disk_destroy(&left);
	assert_int_equal(qrt__disk_open(rig.disk, "d/j", QRT__DISK_CREATE | QRT__DISK_SYNC_DIR, &j),
			 QRT_OK);
	synced(j);
	CHOICES(&rig, ALL_LOST);
	assert_int_equal(qrt__disk_clone_crashed(rig.disk, &left), QRT_OK);
	holds(left, "d/j", "");
	holds(left, "d/x", NULL);
	holds(left, "e/x", "x");
	qrt__disk_destroy(&left);
	/* A name that is taken again: what was before goes with the sync of what is now. */
	assert_int_equal(qrt__disk_delete(rig.disk, "d/a", false), QRT_OK);
	struct qrt__disk_file *again = opened(&rig, "d/a");
	put(again, "2", 0);
	CHOICES(&rig, ALL_LOST);
	assert_int_equal(qrt__disk_clone_crashed(rig.disk, &left), QRT_OK);
	holds(left, "d/a", "");
	qrt__disk_destroy(&left);
	synced(again);
	assert_int_equal(qrt__disk_delete(rig.disk, "d/j", true), QRT_OK);
	CHOICES(&rig, ALL_LOST);
	crash(&rig);
	holds(rig.disk, "d/a", "2");
	holds(rig.disk, "d/j", NULL);
	qrt__disk_close(&a);
	qrt__disk_close(&j);
	qrt__disk_close(&again);
	qrt__disk_destroy(&rig.disk);
}

static void later_changes_survive_without_earlier_ones(void **state)
{
	struct rig rig;
	struct qrt__disk *left = NULL;
	(void)state;
	RIG_UP(&rig, 0);
	assert_int_equal(qrt__disk_put(rig.disk, "a", "......", 6), QRT_OK);
	assert_int_equal(qrt__disk_put(rig.disk, "b", "......", 6), QRT_OK);
	struct qrt__disk_file *a = opened(&rig, "a"), *b = opened(&rig, "b");
	put(a, "1", 0);
	put(b, "2", 0);
	put(a, "3", 1);
	assert_int_equal(qrt__disk_truncate(a, 4), QRT_OK);
	put(b, "4", 8);
	CHOICES(&rig, ANYTHING, LOST, KEPT, KEPT, LOST, KEPT);
	assert_int_equal(qrt__disk_clone_crashed(rig.disk, &left), QRT_OK);
	size_t n = 0;
	holds(left, "a", ".3....");
	assert_memory_equal(qrt__disk_get(left, "b", &n), "2.....\0\0004", 9);
	qrt__disk_destroy(&left);
	CHOICES(&rig, ANYTHING, KEPT, LOST, LOST, KEPT, LOST);
	assert_int_equal(qrt__disk_clone_crashed(rig.disk, &left), QRT_OK);
	holds(left, "a", "1...");
	holds(left, "b", "......");
	qrt__disk_destroy(&left);
	CHOICES(&rig, MOSTLY_KEPT, 0, 7, LOST, 6, 5, 4);
	assert_int_equal(qrt__disk_clone_crashed(rig.disk, &left), QRT_OK);
	holds(left, "a", "13..");
	assert_memory_equal(qrt__disk_get(left, "b", &n), "......\0\0004", 9);
	qrt__disk_destroy(&left);
	qrt__disk_close(&a);
	qrt__disk_close(&b);
	qrt__disk_destroy(&rig.disk);
}

enum { OLD_SIZE = 4096 };

/* A write of '+' over '-' at 600..2600, torn as @choices say. Runs: "600-2000+". */
static void torn(struct rig *rig, bool powersafe, const char *expected)
{
	static char text[OLD_SIZE], more[2000];
	struct qrt__disk *left = NULL;
	struct rig own = *rig;
	char runs[200] = "";
	size_t n = 0, at = 0, length = 0;
	memset(text, '-', sizeof(text));
	memset(more, '+', sizeof(more));
	rig_up(rig, &(struct qrt__disk_options){.sector = 1024, .powersafe = powersafe});
	choices(rig, own.given, own.n_given);
	assert_int_equal(qrt__disk_put(rig->disk, "a", text, sizeof(text)), QRT_OK);
	struct qrt__disk_file *a = opened(rig, "a");
	assert_int_equal(qrt__disk_write(a, more, sizeof(more), 600), QRT_OK);
	assert_int_equal(qrt__disk_clone_crashed(rig->disk, &left), QRT_OK);
	const char *got = qrt__disk_get(left, "a", &n);
	for (size_t i = 1; i <= n; i++) {
		if (i == n || got[i] != got[at]) {
			length += (size_t)snprintf(runs + length, sizeof(runs) - length, "%zu%c",
						   i - at, got[at] ? got[at] : '0');
			at = i;
		}
	}
	assert_string_equal(runs, expected);
	qrt__disk_close(&a);
	qrt__disk_destroy(&left);
	qrt__disk_destroy(&rig->disk);
}

#define TORN(powersafe, expected, ...)                                                             \
	do {                                                                                       \
		struct rig rig = {0};                                                              \
		CHOICES(&rig, ANYTHING, __VA_ARGS__);                                              \
		torn(&rig, powersafe, expected);                                                   \
	} while (0)

static void a_write_is_torn_at_sectors_and_inside_one(void **state)
{
	(void)state;
	TORN(true, "600-2000+1496-", KEPT);
	TORN(true, "4096-", LOST);
	TORN(true, "4096-", PREFIX, 0);
	TORN(true, "600-936+2560-", PREFIX, 2);
	TORN(true, "1024-512+512-512+1536-", SCATTERED, 1, 0, 1, 0, 1);
	TORN(true, "600-440+3056-", SLICED, 1, 16, 0);
	TORN(true, "600-424+16-496+2560-", SLICED, 1, 16, 1);
	TORN(true,
	     "600-424+512"
	     "0"
	     "1064+1496-",
	     RUINED, 1, 0);
	TORN(true,
	     "600-4240"
	     "1576+1496-",
	     RUINED, 0, 0); /* not what stands beside it */
	TORN(false,
	     "10240"
	     "1576+1496-",
	     RUINED, 0, 0); /* all of the device's sector */
	TORN(false,
	     "600-1448+10240"
	     "1024-",
	     RUINED, 2, 0);
	TORN(false, "4096-", GROWN, 1, 2, 3); /* it does not grow */
}

static void an_append_may_leave_length_without_content(void **state)
{
	struct rig rig;
	size_t n = 0;
	(void)state;
	RIG_UP(&rig, 0);
	assert_int_equal(qrt__disk_put(rig.disk, "a", "abc", 3), QRT_OK);
	struct qrt__disk_file *a = opened(&rig, "a");
	put(a, "12345", 2);
	CHOICES(&rig, ANYTHING, GROWN, 0);
	crash(&rig);
	const char *got = qrt__disk_get(rig.disk, "a", &n);
	assert_int_equal(n, 7);
	assert_memory_equal(got, "abc\0\0\0\0", 7);
	qrt__disk_close(&a);
	qrt__disk_destroy(&rig.disk);
}

static void too_much_unsynced_is_written_back_the_oldest_first(void **state)
{
	struct rig rig;
	(void)state;
	RIG_UP(&rig, .unsynced_max = 4096);
	struct qrt__disk_file *a = opened(&rig, "a");
	char text[16];
	for (int i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "%04d", i);
		put(a, text, 4 * (int64_t)i);
		assert_true(qrt__disk_stats(rig.disk).unsynced <= 4096);
	}
	for (int i = 0; i < 1000; i++) { /* names too */
		snprintf(text, sizeof(text), "f%d", i);
		struct qrt__disk_file *f = opened(&rig, text);
		qrt__disk_close(&f);
		assert_int_equal(qrt__disk_delete(rig.disk, text, false), QRT_OK);
		assert_true(qrt__disk_stats(rig.disk).unsynced <= 4096);
	}
	CHOICES(&rig, ALL_LOST);
	crash(&rig);
	size_t n = 0;
	const char *got = qrt__disk_get(rig.disk, "a", &n);
	assert_int_equal(n, 4000);
	assert_memory_equal(got + 3996, "0999", 4);
	assert_int_equal(qrt__disk_stats(rig.disk).unsynced, 0);
	qrt__disk_close(&a);
	qrt__disk_destroy(&rig.disk);
}

static void dead_handles_fail_and_touch_nothing(void **state)
{
	struct rig rig;
	char buf[4];
	size_t n = 0;
	int64_t size = 0;
	void *at = NULL, *fresh = NULL;
	bool reserved = false;
	(void)state;
	RIG_UP(&rig, 0);
	struct qrt__disk_file *a = opened(&rig, "a"), *other = opened(&rig, "a");
	put(a, "mine", 0);
	synced(a);
	assert_int_equal(qrt__disk_shm_map(a, 0, 64, true, &at), QRT_OK);
	assert_int_equal(qrt__disk_shm_map(other, 0, 64, true, &fresh), QRT_OK);
	assert_int_equal(qrt__disk_shm_lock(a, 0, 8, true), QRT_OK);
	assert_int_equal(qrt__disk_lock(a, QRT__DISK_SHARED), QRT_OK);
	assert_int_equal(qrt__disk_lock(a, QRT__DISK_EXCLUSIVE_LOCK), QRT_OK);
	crash(&rig);
	((char *)at)[0] = 'x'; /* as its owner may, until it lets go */
	struct qrt__disk_file *b = opened(&rig, "a");
	uint64_t ops = qrt__disk_stats(rig.disk).ops_all;
	assert_int_equal(qrt__disk_read(a, buf, 4, 0, &n), QRT_EIO);
	assert_int_equal(qrt__disk_write(a, "that", 4, 0), QRT_EIO);
	assert_int_equal(qrt__disk_truncate(a, 0), QRT_EIO);
	assert_int_equal(qrt__disk_sync(a), QRT_EIO);
	assert_int_equal(qrt__disk_size(a, &size), QRT_EIO);
	assert_int_equal(qrt__disk_lock(a, QRT__DISK_SHARED), QRT_EIO);
	assert_int_equal(qrt__disk_unlock(a, QRT__DISK_UNLOCKED), QRT_EIO);
	assert_int_equal(qrt__disk_reserved(a, &reserved), QRT_EIO);
	assert_int_equal(qrt__disk_shm_map(a, 0, 64, true, &fresh), QRT_EIO);
	assert_int_equal(qrt__disk_shm_lock(a, 0, 1, false), QRT_EIO);
	assert_int_equal(qrt__disk_shm_unlock(a, 0, 8, true), QRT_EIO);
	assert_int_equal(qrt__disk_stats(rig.disk).ops_all, ops);
	/* Whoever comes after finds no lock of theirs, and memory of its own. */
	assert_int_equal(qrt__disk_lock(b, QRT__DISK_SHARED), QRT_OK);
	assert_int_equal(qrt__disk_lock(b, QRT__DISK_EXCLUSIVE_LOCK), QRT_OK);
	assert_int_equal(qrt__disk_shm_map(b, 0, 64, true, &fresh), QRT_OK);
	assert_int_equal(qrt__disk_shm_lock(b, 0, 8, true), QRT_OK);
	assert_int_equal(((char *)fresh)[0], 0);
	qrt__disk_close(&a);
	qrt__disk_close(&other);
	((char *)fresh)[0] = 'y';
	holds(rig.disk, "a", "mine");
	qrt__disk_close(&b);
	qrt__disk_destroy(&rig.disk);
}

static void a_power_loss_during_an_operation_makes_it_fail(void **state)
{
	struct rig rig;
	struct qrt__disk_file *b = NULL;
	int64_t n = 0;
	(void)state;
	RIG_UP(&rig, 0);
	struct qrt__disk_file *a = opened(&rig, "a");
	rig.crashes = true;
	assert_int_equal(qrt__disk_write(a, "x", 1, 0), QRT_EIO);
	holds(rig.disk, "a", "");
	rig.crashes = true;
	assert_int_equal(qrt__disk_delete(rig.disk, "a", true), QRT_EIO);
	holds(rig.disk, "a", "");
	rig.crashes = true;
	assert_int_equal(qrt__disk_open(rig.disk, "b", QRT__DISK_CREATE, &b), QRT_EIO);
	holds(rig.disk, "b", NULL);
	rig.crashes = true;
	assert_int_equal(qrt__disk_access(rig.disk, "a", &n), QRT_EIO);
	assert_int_equal(qrt__disk_stats(rig.disk).crashes, 4);
	assert_int_equal(qrt__disk_stats(rig.disk).faults, 0);
	qrt__disk_close(&a);
	qrt__disk_destroy(&rig.disk);
}

/* --- faults and time ------------------------------------------------------------------------ */

static void a_hook_makes_operations_fail_and_they_are_counted(void **state)
{
	struct rig rig;
	(void)state;
	RIG_UP(&rig, 0);
	struct qrt__disk_file *a = opened(&rig, "a");
	static char text[1500];
	memset(text, '+', sizeof(text));
	rig.fails = QRT_EIO;
	assert_int_equal(qrt__disk_write(a, text, 1500, 0), QRT_EIO);
	holds(rig.disk, "a", "");
	rig.fails = QRT_EIO; /* a device may have done a part */
	CHOICES(&rig, 2);
	assert_int_equal(qrt__disk_write(a, text, 1500, 0), QRT_EIO);
	size_t n = 0;
	assert_non_null(qrt__disk_get(rig.disk, "a", &n));
	assert_int_equal(n, 1024);
	rig.fails = QRT_ELIMIT; /* a full disk none */
	CHOICES(&rig, 2);
	assert_int_equal(qrt__disk_write(a, text, 1500, 1024), QRT_ELIMIT);
	assert_non_null(qrt__disk_get(rig.disk, "a", &n));
	assert_int_equal(n, 1024);
	rig.fails = QRT_EIO;
	assert_int_equal(qrt__disk_sync(a), QRT_EIO);
	CHOICES(&rig, ALL_LOST);
	struct qrt__disk_stats stats = qrt__disk_stats(rig.disk);
	crash(&rig);
	holds(rig.disk, "a", NULL); /* so nothing was synced */
	assert_int_equal(stats.ops[QRT__DISK_WRITE], 3);
	assert_int_equal(stats.ops[QRT__DISK_SYNC], 1);
	assert_int_equal(stats.ops[QRT__DISK_OPEN], 1);
	assert_int_equal(stats.ops_all, 5);
	assert_int_equal(stats.faults, 4);
	assert_string_equal(qrt__disk_op_name(QRT__DISK_SHM_MAP), "shm-map");
	assert_string_equal(qrt__disk_op_name(QRT__DISK_OP_COUNT), "?");
	qrt__disk_close(&a);
	qrt__disk_destroy(&rig.disk);
}

static void operations_take_the_time_they_are_given(void **state)
{
	struct rig rig;
	(void)state;
	RIG_UP(&rig, .op_ns = 1, .sync_ns = 10, .slow_sync_ns = 1000);
	struct qrt__disk_file *a = opened(&rig, "a");
	put(a, "x", 0);
	assert_int_equal(rig.spent_ns, 2);
	synced(a);
	assert_int_equal(rig.spent_ns, 13);
	CHOICES(&rig, 6);
	synced(a);
	assert_int_equal(rig.spent_ns, 24);
	CHOICES(&rig, 7);
	synced(a);
	assert_int_equal(rig.spent_ns, 1025);
	qrt__disk_close(&a);
	qrt__disk_destroy(&rig.disk);
}

/* --- locks --------------------------------------------------------------------------------- */

static void file_locks_let_many_read_and_one_write(void **state)
{
	struct rig rig;
	bool reserved = true;
	(void)state;
	RIG_UP(&rig, 0);
	struct qrt__disk_file *a = opened(&rig, "a"), *b = opened(&rig, "a"),
			      *c = opened(&rig, "a"), *elsewhere = opened(&rig, "b");
	assert_int_equal(qrt__disk_lock(a, QRT__DISK_SHARED), QRT_OK);
	assert_int_equal(qrt__disk_lock(b, QRT__DISK_SHARED), QRT_OK);
	assert_int_equal(qrt__disk_reserved(c, &reserved), QRT_OK);
	assert_false(reserved);
	assert_int_equal(qrt__disk_lock(a, QRT__DISK_RESERVED), QRT_OK);
	assert_int_equal(qrt__disk_reserved(a, &reserved), QRT_OK);
	assert_true(reserved);
	reserved = false;
	assert_int_equal(qrt__disk_reserved(c, &reserved), QRT_OK);
	assert_true(reserved);
	assert_int_equal(qrt__disk_lock(b, QRT__DISK_RESERVED), QRT_EBUSY);
	assert_int_equal(qrt__disk_lock(b, QRT__DISK_EXCLUSIVE_LOCK), QRT_EBUSY);
	assert_int_equal(qrt__disk_lock(c, QRT__DISK_SHARED), QRT_OK); /* still */
	assert_int_equal(qrt__disk_unlock(c, QRT__DISK_UNLOCKED), QRT_OK);
	assert_int_equal(qrt__disk_lock(a, QRT__DISK_EXCLUSIVE_LOCK), QRT_EBUSY);
	assert_int_equal(qrt__disk_lock(c, QRT__DISK_SHARED), QRT_EBUSY); /* it is pending */
	assert_int_equal(qrt__disk_unlock(b, QRT__DISK_UNLOCKED), QRT_OK);
	assert_int_equal(qrt__disk_lock(a, QRT__DISK_EXCLUSIVE_LOCK), QRT_OK);
	assert_int_equal(qrt__disk_lock(a, QRT__DISK_SHARED), QRT_OK); /* has more */
	assert_int_equal(qrt__disk_lock(c, QRT__DISK_SHARED), QRT_EBUSY);
	assert_int_equal(qrt__disk_lock(elsewhere, QRT__DISK_SHARED), QRT_OK);
	assert_int_equal(qrt__disk_unlock(a, QRT__DISK_SHARED), QRT_OK);
	assert_int_equal(qrt__disk_lock(c, QRT__DISK_SHARED), QRT_OK);
	/* Straight to the top, as who plays a journal back does; the other still reads. */
	assert_int_equal(qrt__disk_lock(c, QRT__DISK_EXCLUSIVE_LOCK), QRT_EBUSY);
	assert_int_equal(qrt__disk_lock(a, QRT__DISK_RESERVED), QRT_EBUSY);
	qrt__disk_close(&a); /* a close gives up */
	assert_int_equal(qrt__disk_lock(c, QRT__DISK_EXCLUSIVE_LOCK), QRT_OK);
	qrt__disk_close(&c);
	assert_int_equal(qrt__disk_lock(b, QRT__DISK_SHARED), QRT_OK);
	assert_int_equal(qrt__disk_lock(b, QRT__DISK_PENDING), QRT_OK);
	qrt__disk_close(&b);
	qrt__disk_close(&elsewhere);
	qrt__disk_destroy(&rig.disk);
}

static void shared_memory_is_one_for_a_file_and_locked_by_slots(void **state)
{
	struct rig rig;
	void *at = NULL, *same = NULL, *more = NULL;
	(void)state;
	RIG_UP(&rig, 0);
	struct qrt__disk_file *a = opened(&rig, "a"), *b = opened(&rig, "a");
	assert_int_equal(qrt__disk_shm_map(a, 1, 64, false, &at), QRT_OK);
	assert_null(at);
	assert_int_equal(qrt__disk_shm_map(a, 1, 64, true, &at), QRT_OK);
	memset(at, 'x', 64);
	assert_int_equal(qrt__disk_shm_map(b, 1, 64, false, &same), QRT_OK);
	assert_ptr_equal(at, same);
	assert_int_equal(qrt__disk_shm_map(b, 0, 64, false, &more), QRT_OK);
	assert_int_equal(((char *)more)[63], 0);
	assert_int_equal(qrt__disk_shm_map(b, QRT__DISK_SHM_REGIONS_MAX, 64, true, &more),
			 QRT_ELIMIT);
	assert_int_equal(qrt__disk_shm_lock(a, 2, 1, false), QRT_OK);
	assert_int_equal(qrt__disk_shm_lock(b, 1, 3, true), QRT_EBUSY);
	assert_int_equal(qrt__disk_shm_lock(b, 2, 1, false), QRT_OK);
	assert_int_equal(qrt__disk_shm_lock(a, 3, 1, false), QRT_OK); /* so none of the three */
	assert_int_equal(qrt__disk_shm_unlock(a, 3, 1, false), QRT_OK);
	assert_int_equal(qrt__disk_shm_unlock(b, 2, 1, false), QRT_OK);
	assert_int_equal(qrt__disk_shm_lock(b, 2, 1, true), QRT_EBUSY);
	assert_int_equal(qrt__disk_shm_unlock(a, 2, 1, false), QRT_OK);
	assert_int_equal(qrt__disk_shm_lock(b, 0, 8, true), QRT_OK);
	assert_int_equal(qrt__disk_shm_lock(a, 7, 1, false), QRT_EBUSY);
	assert_int_equal(qrt__disk_shm_lock(a, 0, 1, true), QRT_EBUSY);
	qrt__disk_shm_unmap(b);
	qrt__disk_shm_unmap(b);
	assert_int_equal(qrt__disk_shm_lock(a, 0, 8, true), QRT_OK);
	assert_int_equal(((char *)at)[0], 'x');
	qrt__disk_shm_unmap(a);
	assert_int_equal(qrt__disk_shm_map(b, 1, 64, true, &at), QRT_OK);
	assert_int_equal(((char *)at)[0], 0); /* the last one took it along */
	qrt__disk_close(&a);
	qrt__disk_close(&b);
	qrt__disk_destroy(&rig.disk);
}

/* --- by chance ------------------------------------------------------------------------------ */

enum { FILES = 4, MOVES = 300 };

/* Anything on a few files; what the disk says it holds is checked against its files. */
static uint64_t by_chance(uint64_t seed)
{
	struct rig rig;
	struct qrt__disk_file *file[FILES] = {0};
	RIG_UP(&rig, .size_max = 100000, .unsynced_max = 20000);
	rig.by_chance = true;
	rig.random.state = seed;
	for (int i = 0; i < MOVES; i++) {
		static char text[3000];
		char path[] = "d/f";
		unsigned f = (unsigned)qrt__lab_below(&rig.random, FILES);
		int64_t offset = (int64_t)qrt__lab_below(&rig.random, 30000);
		enum qrt_err err = QRT_OK;
		path[2] = (char)('a' + f / 2);
		memset(text, 'a' + i % 26, sizeof(text));
		unsigned what = (unsigned)qrt__lab_below(&rig.random, 20);
		if (what == 0) {
			crash(&rig);
		} else if (what == 1) {
			err = qrt__disk_delete(rig.disk, path, qrt__lab_below(&rig.random, 2));
		} else if (!file[f] || what == 2) {
			qrt__disk_close(&file[f]);
			err = qrt__disk_open(rig.disk, path, QRT__DISK_CREATE | (f & 1 ? 16 : 0),
					     &file[f]);
		} else if (what < 6) {
			err = qrt__disk_sync(file[f]);
		} else if (what < 8) {
			err = qrt__disk_truncate(file[f], offset);
		} else {
			err = qrt__disk_write(file[f], text, (size_t)offset / 10, offset);
		}
		assert_true(err == QRT_OK || err == QRT_EIO || err == QRT_ENOENT ||
			    err == QRT_ELIMIT);
	}
	for (unsigned f = 0; f < FILES; f++) {
		qrt__disk_close(&file[f]);
	}
	uint64_t sum = 0;
	size_t n = 0, bytes = 0, files = 0;
	for (const char *path = NULL; (path = qrt__disk_list(rig.disk, files)); files++) {
		const char *got = qrt__disk_get(rig.disk, path, &n);
		bytes += n;
		for (size_t i = 0; i < n; i++) {
			sum = qrt__lab_mix(sum ^ (unsigned char)got[i]);
		}
		sum = qrt__lab_mix(sum ^ (unsigned char)path[2]);
	}
	assert_int_equal(qrt__disk_stats(rig.disk).bytes, bytes);
	assert_int_equal(qrt__disk_stats(rig.disk).files, files);
	qrt__disk_destroy(&rig.disk);
	return sum;
}

static void equal_choices_give_equal_bytes(void **state)
{
	unsigned differ = 0;
	(void)state;
	for (uint64_t seed = 1; seed <= 50; seed++) {
		uint64_t sum = by_chance(seed);
		assert_true(by_chance(seed) == sum);
		differ += by_chance(seed + 1000) != sum ? 1 : 0;
	}
	assert_true(differ > 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_written_is_read_by_all_and_past_the_end_are_zeros),
	    cmocka_unit_test(one_file_has_one_name),
	    cmocka_unit_test(a_deleted_file_lives_as_long_as_its_handles),
	    cmocka_unit_test(opening_says_what_is_wrong),
	    cmocka_unit_test(what_does_not_fit_is_not_written_at_all),
	    cmocka_unit_test(what_is_synced_stays_and_the_rest_may_go),
	    cmocka_unit_test(a_name_lasts_when_its_file_or_its_directory_is_synced),
	    cmocka_unit_test(later_changes_survive_without_earlier_ones),
	    cmocka_unit_test(a_write_is_torn_at_sectors_and_inside_one),
	    cmocka_unit_test(an_append_may_leave_length_without_content),
	    cmocka_unit_test(too_much_unsynced_is_written_back_the_oldest_first),
	    cmocka_unit_test(dead_handles_fail_and_touch_nothing),
	    cmocka_unit_test(a_power_loss_during_an_operation_makes_it_fail),
	    cmocka_unit_test(a_hook_makes_operations_fail_and_they_are_counted),
	    cmocka_unit_test(operations_take_the_time_they_are_given),
	    cmocka_unit_test(file_locks_let_many_read_and_one_write),
	    cmocka_unit_test(shared_memory_is_one_for_a_file_and_locked_by_slots),
	    cmocka_unit_test(equal_choices_give_equal_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
