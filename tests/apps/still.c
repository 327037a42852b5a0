/*
 * A file system that passes everything on to a directory, until it is told to stand still: it speaks the protocol of
 * /dev/fuse itself. Mounts at argv[1] what is in argv[2]; answers a line for each of its input: "still" (no request is
 * answered from now on), "still-at-opening" (from when a file is opened or made), "still-at-writing" (from when one is
 * written), "waiting" (how many are then: one is taken at a time), "quota" (nothing more can be written or made, as by one
 * whose quota is used up), "go", and "end", which unmounts.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#define NODES_MAX 4096
#define MAX_WRITE (128 << 10)

static int device;
/* Paths below the directory, by node; the first one is the root's. */
static char *nodes[NODES_MAX] = { NULL, "" };
static unsigned int node_count = 2;
static int directory;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t goes_on = PTHREAD_COND_INITIALIZER;
static enum { GOES, STILL_AT_OPENING, STILL_AT_WRITING, STILL, QUOTA } state;
/* How many requests wait since then. */
static int waiting;

static void answer(uint64_t unique, int error, const void *data, size_t len)
{
	struct fuse_out_header head = { .unique = unique, .error = error };
	struct iovec parts[2] = { { &head, sizeof(head) }, { (void *) data, error ? 0 : len } };

	head.len = sizeof(head) + parts[1].iov_len;
	if (writev(device, parts, 2) < 0) {
		/* Who asked is gone. */
		return;
	}
}

static char *below(uint64_t node, const char *name)
{
	char *path = NULL;

	if (node >= node_count || asprintf(&path, "%s%s%s", nodes[node], *nodes[node] ? "/" : "", name) < 0)
		abort();
	return path;
}

/* A path as the system calls take it. */
static const char *real(const char *path)
{
	return *path ? path : ".";
}

static uint64_t node_of(char *path)
{
	for (unsigned int i = 1; i < node_count; i++) {
		if (!strcmp(nodes[i], path)) {
			free(path);
			return i;
		}
	}
	if (node_count == NODES_MAX)
		abort();
	nodes[node_count] = path;
	return node_count++;
}

static int attributes(const char *path, struct fuse_attr *attr)
{
	struct stat status;

	if (fstatat(directory, real(path), &status, AT_SYMLINK_NOFOLLOW))
		return -errno;
	*attr = (struct fuse_attr) {
		.ino = status.st_ino,
		.size = status.st_size,
		.blocks = status.st_blocks,
		.mtime = status.st_mtime,
		.mode = status.st_mode,
		.nlink = status.st_nlink,
		.uid = status.st_uid,
		.gid = status.st_gid,
		.blksize = 4096,
	};
	return 0;
}

/* Fills an entry for a path, which is the node's or freed. */
static int entry(char *path, struct fuse_entry_out *out)
{
	int error;

	*out = (struct fuse_entry_out) { 0 };
	error = attributes(path, &out->attr);
	if (error) {
		free(path);
		return error;
	}
	out->nodeid = node_of(path);
	return 0;
}

static int made(int result, const struct fuse_in_header *in, const char *path)
{
	if (result < 0)
		return -errno;
	return fchownat(directory, path, in->uid, in->gid, AT_SYMLINK_NOFOLLOW) ? -errno : 0;
}

static void initialise(const struct fuse_in_header *in)
{
	struct fuse_init_out out = {
		.major = FUSE_KERNEL_VERSION,
		.minor = 31,
		.max_readahead = 4096,
		.flags = FUSE_BIG_WRITES,
		.max_write = MAX_WRITE,
	};

	answer(in->unique, 0, &out, sizeof(out));
}

static void create(const struct fuse_in_header *in, const struct fuse_create_in *wanted)
{
	struct {
		struct fuse_entry_out entry;
		struct fuse_open_out open;
	} out = { 0 };
	char *path = below(in->nodeid, (const char *) (wanted + 1));
	int file = openat(directory, path, wanted->flags | O_CREAT | O_NOFOLLOW, wanted->mode);
	int error = made(file, in, path);

	if (!error)
		error = entry(path, &out.entry);
	else
		free(path);
	out.open.fh = file;
	answer(in->unique, error, &out, sizeof(out));
}

static void set_attributes(const struct fuse_in_header *in, const struct fuse_setattr_in *wanted)
{
	struct fuse_attr_out out = { 0 };
	const char *path = nodes[in->nodeid];
	int error = 0, file;

	if (wanted->valid & FATTR_SIZE) {
		file = openat(directory, path, O_WRONLY | O_NOFOLLOW);
		error = file < 0 || ftruncate(file, wanted->size) ? -errno : 0;
		close(file);
	}
	if (!error && (wanted->valid & FATTR_MODE))
		error = fchmodat(directory, real(path), wanted->mode & 07777, 0) ? -errno : 0;
	if (!error)
		error = attributes(path, &out.attr);
	answer(in->unique, error, &out, sizeof(out));
}

static void rename_node(const struct fuse_in_header *in, uint64_t newdir, const char *name)
{
	char *from = below(in->nodeid, name), *to = below(newdir, name + strlen(name) + 1), *moved;
	int error = renameat(directory, from, directory, to) ? -errno : 0;
	size_t len = strlen(from);

	for (unsigned int i = 1; !error && i < node_count; i++) {
		if (strncmp(nodes[i], from, len) || (nodes[i][len] && nodes[i][len] != '/'))
			continue;
		if (asprintf(&moved, "%s%s", to, nodes[i] + len) < 0)
			abort();
		nodes[i] = moved;
	}
	answer(in->unique, error, NULL, 0);
}

static void read_file(const struct fuse_in_header *in, const struct fuse_read_in *wanted)
{
	static char bytes[MAX_WRITE];
	size_t size = wanted->size < sizeof(bytes) ? wanted->size : sizeof(bytes);
	ssize_t len = pread(wanted->fh, bytes, size, wanted->offset);

	answer(in->unique, len < 0 ? -errno : 0, bytes, len < 0 ? 0 : len);
}

static void write_file(const struct fuse_in_header *in, const struct fuse_write_in *wanted)
{
	ssize_t len = pwrite(wanted->fh, wanted + 1, wanted->size, wanted->offset);
	struct fuse_write_out out = { .size = len };

	answer(in->unique, len < 0 ? -errno : 0, &out, sizeof(out));
}

static void open_file(const struct fuse_in_header *in, const struct fuse_open_in *wanted)
{
	struct fuse_open_out out = { 0 };
	int flags = wanted->flags & ~(O_CREAT | O_EXCL | O_NOCTTY);
	int file = openat(directory, real(nodes[in->nodeid]), flags);

	out.fh = file;
	answer(in->unique, file < 0 ? -errno : 0, &out, sizeof(out));
}

static void make(const struct fuse_in_header *in, const char *name, uint32_t mode, int is_directory)
{
	struct fuse_entry_out out;
	char *path = below(in->nodeid, name);
	int result = is_directory ? mkdirat(directory, path, mode) : mknodat(directory, path, mode, 0);
	int error = made(result, in, path);

	if (!error)
		error = entry(path, &out);
	else
		free(path);
	answer(in->unique, error, &out, sizeof(out));
}

static void take_away(const struct fuse_in_header *in, const char *name, int flags)
{
	char *path = below(in->nodeid, name);

	answer(in->unique, unlinkat(directory, path, flags) ? -errno : 0, NULL, 0);
	free(path);
}

static void serve(const struct fuse_in_header *in, const void *body)
{
	struct fuse_attr_out attr = { 0 };
	struct fuse_entry_out out;
	struct fuse_statfs_out space = { .st = { .bsize = 4096, .frsize = 4096, .namelen = 255 } };
	int error;

	switch (in->opcode) {
	case FUSE_INIT:
		return initialise(in);
	case FUSE_LOOKUP:
		error = entry(below(in->nodeid, body), &out);
		return answer(in->unique, error, &out, sizeof(out));
	case FUSE_GETATTR:
		error = attributes(nodes[in->nodeid], &attr.attr);
		return answer(in->unique, error, &attr, sizeof(attr));
	case FUSE_SETATTR:
		return set_attributes(in, body);
	case FUSE_MKDIR:
		return make(in, (const char *) ((const struct fuse_mkdir_in *) body + 1),
			((const struct fuse_mkdir_in *) body)->mode, 1);
	case FUSE_MKNOD:
		return make(in, (const char *) ((const struct fuse_mknod_in *) body + 1),
			((const struct fuse_mknod_in *) body)->mode, 0);
	case FUSE_CREATE:
		return create(in, body);
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		return open_file(in, body);
	case FUSE_READ:
		return read_file(in, body);
	case FUSE_WRITE:
		return write_file(in, body);
	case FUSE_RENAME:
		return rename_node(in, ((const struct fuse_rename_in *) body)->newdir,
			(const char *) ((const struct fuse_rename_in *) body + 1));
	case FUSE_RENAME2:
		return rename_node(in, ((const struct fuse_rename2_in *) body)->newdir,
			(const char *) ((const struct fuse_rename2_in *) body + 1));
	case FUSE_UNLINK:
		return take_away(in, body, 0);
	case FUSE_RMDIR:
		return take_away(in, body, AT_REMOVEDIR);
	case FUSE_STATFS:
		space.st.blocks = space.st.bfree = space.st.bavail = 1 << 20;
		return answer(in->unique, 0, &space, sizeof(space));
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
		close(((const struct fuse_release_in *) body)->fh);
		return answer(in->unique, 0, NULL, 0);
	/* Nothing is in a directory for who lists it. */
	case FUSE_READDIR:
	case FUSE_FLUSH:
	case FUSE_FSYNC:
	case FUSE_FSYNCDIR:
	case FUSE_ACCESS:
		return answer(in->unique, 0, NULL, 0);
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		return;
	default:
		return answer(in->unique, -ENOSYS, NULL, 0);
	}
}

static uint32_t opcode_of(const void *request)
{
	return ((const struct fuse_in_header *) request)->opcode;
}

static int is_opening(const void *request)
{
	uint32_t opcode = opcode_of(request);

	return opcode == FUSE_OPEN || opcode == FUSE_CREATE || opcode == FUSE_MKNOD;
}

static int takes_quota(const void *request)
{
	switch (opcode_of(request)) {
	case FUSE_CREATE:
	case FUSE_MKNOD:
	case FUSE_MKDIR:
	case FUSE_WRITE:
		return 1;
	default:
		return 0;
	}
}

static void *serve_all(void *unused)
{
	int is_used_up;

	static char request[MAX_WRITE + 4096] __attribute__((aligned(8)));
	ssize_t len;

	(void) unused;
	for (;;) {
		len = read(device, request, sizeof(request));
		if (len < 0 && (errno == EINTR || errno == ENOENT || errno == EAGAIN))
			continue;
		if (len < (ssize_t) sizeof(struct fuse_in_header))
			return NULL;
		pthread_mutex_lock(&lock);
		if ((state == STILL_AT_OPENING && is_opening(request)) ||
				(state == STILL_AT_WRITING && opcode_of(request) == FUSE_WRITE))
			state = STILL;
		waiting = 1;
		while (state == STILL)
			pthread_cond_wait(&goes_on, &lock);
		waiting = 0;
		is_used_up = state == QUOTA && takes_quota(request);
		pthread_mutex_unlock(&lock);
		if (is_used_up)
			answer(((const struct fuse_in_header *) request)->unique, -EDQUOT, NULL, 0);
		else
			serve((const struct fuse_in_header *) request,
				request + sizeof(struct fuse_in_header));
	}
}

static void go_to(int next)
{
	pthread_mutex_lock(&lock);
	state = next;
	pthread_cond_broadcast(&goes_on);
	pthread_mutex_unlock(&lock);
}

int main(int argc, char **argv)
{
	char options[128], line[64];
	pthread_t server;
	int result;

	if (argc != 3)
		return 2;
	umask(0);
	device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	directory = open(argv[2], O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (device < 0 || directory < 0)
		return 1;
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", device);
	if (mount("still", argv[1], "fuse.still", MS_NOSUID | MS_NODEV, options)) {
		perror("mount");
		return 1;
	}
	if (pthread_create(&server, NULL, serve_all, NULL))
		return 1;
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		result = 0;
		if (!strcmp(line, "waiting")) {
			pthread_mutex_lock(&lock);
			result = waiting;
			pthread_mutex_unlock(&lock);
		} else {
			go_to(!strcmp(line, "still") ? STILL :
				!strcmp(line, "quota") ? QUOTA :
				!strcmp(line, "still-at-opening") ? STILL_AT_OPENING :
				!strcmp(line, "still-at-writing") ? STILL_AT_WRITING : GOES);
		}
		if (!strcmp(line, "end"))
			result = umount2(argv[1], MNT_DETACH);
		printf("%s %d\n", line, result);
		fflush(stdout);
	}
	return 0;
}
