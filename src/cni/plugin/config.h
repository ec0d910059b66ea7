/* The network configuration: a JSON reader that checks all of it and keeps three strings of its top level. */
#include <string.h>

#define MAX_DEPTH 64

struct config { int is_json; char socket[256], state_dir[256], version[16]; };

static const char *blank(const char *p) { return p + strspn(p, " \t\r\n"); }

/* Reads a string, copying it to `out` unless that is NULL; one too long, or with more than simple escapes, as empty. */
static const char *string(const char *p, char *out, size_t room)
{
	size_t n = 0;
	if (*p != '"') return NULL;
	for (p++; *p != '"'; p++, n++) {
		if ((unsigned char)*p < 0x20) return NULL;
		if (*p == '\\') {
			p++;
			if (!*p || !strchr("\"\\/bfnrtu", *p)) return NULL;
			if (strchr("bfnrtu", *p)) room = 0;
		}
		if (out && n + 1 < room) out[n] = *p;
	}
	if (out) out[n < room ? n : 0] = 0;
	return p + 1;
}

static const char *value(const char *p, int depth, struct config *keep);

/* A member of an object; of the top level's, three are kept. */
static const char *member(const char *p, int depth, struct config *keep)
{
	char key[16];
	p = string(p, key, sizeof key);
	if (!p || *(p = blank(p)) != ':') return NULL;
	p = blank(p + 1);
	if (depth == 0 && *p == '"') {
		if (!strcmp(key, "socket")) return string(p, keep->socket, sizeof keep->socket);
		if (!strcmp(key, "stateDir")) return string(p, keep->state_dir, sizeof keep->state_dir);
		if (!strcmp(key, "cniVersion")) return string(p, keep->version, sizeof keep->version);
	}
	return value(p, depth + 1, keep);
}

/* Steps over any value. NULL: malformed. */
static const char *value(const char *p, int depth, struct config *keep)
{
	if (*p == '"') return string(p, NULL, 0);
	if (*p == '{' || *p == '[') {
		char close = *p == '{' ? '}' : ']';
		if (depth == MAX_DEPTH) return NULL;
		p = blank(p + 1);
		if (*p == close) return p + 1;
		for (;; p = blank(p + 1)) {
			p = close == '}' ? member(p, depth, keep) : value(p, depth + 1, keep);
			if (!p) return NULL;
			p = blank(p);
			if (*p == close) return p + 1;
			if (*p != ',') return NULL;
		}
	}
	if (!strncmp(p, "true", 4) || !strncmp(p, "null", 4)) return p + 4;
	if (!strncmp(p, "false", 5)) return p + 5;
	return strchr("-0123456789", *p) && *p ? p + strspn(p, "+-0123456789.eE") : NULL;
}

/* Keeps what is wanted of the text, up to its NUL; true when it is one JSON object. */
static int read_config(const char *text, struct config *keep)
{
	const char *start = blank(text), *end = *start == '{' ? value(start, 0, keep) : NULL;
	return end && *blank(end) == 0;
}
