#include "lib/fmt.h"

#include "lib/base.h"

struct out {
	char *buf;
	size_t size;
	size_t len;
};

static void put(struct out *o, char c)
{
	if (o->len + 1 < o->size)
		o->buf[o->len] = c;
	o->len++;
}

struct spec {
	bool left;
	bool zero;
	int width;
	int precision; /* -1: none */
	int longs;     /* number of l; z counts as one (LP64) */
};

static void put_padded(struct out *o, const struct spec *s, const char *text, size_t n)
{
	size_t pad = (size_t)s->width > n ? (size_t)s->width - n : 0;

	if (!s->left)
		for (size_t i = 0; i < pad; i++)
			put(o, s->zero ? '0' : ' ');
	for (size_t i = 0; i < n; i++)
		put(o, text[i]);
	if (s->left)
		for (size_t i = 0; i < pad; i++)
			put(o, ' ');
}

static void put_number(struct out *o, const struct spec *s, uint64_t v, unsigned base, bool negative)
{
	char tmp[24];
	size_t n = 0;

	do {
		tmp[sizeof(tmp) - ++n] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	if (negative)
		tmp[sizeof(tmp) - ++n] = '-';
	put_padded(o, s, tmp + sizeof(tmp) - n, n);
}

static const char *parse_number(const char *p, int *v)
{
	while (*p >= '0' && *p <= '9')
		*v = *v * 10 + (*p++ - '0');
	return p;
}

static const char *parse_spec(const char *p, struct spec *s, va_list ap)
{
	*s = (struct spec){ .precision = -1 };
	for (; *p == '-' || *p == '0'; p++) {
		if (*p == '-')
			s->left = true;
		else
			s->zero = true;
	}
	p = parse_number(p, &s->width);
	if (*p == '.') {
		s->precision = 0;
		if (p[1] == '*') {
			s->precision = va_arg(ap, int);
			p += 2;
		} else {
			p = parse_number(p + 1, &s->precision);
		}
	}
	for (; *p == 'l' || *p == 'z'; p++)
		s->longs++;
	return p;
}

static uint64_t take_unsigned(const struct spec *s, va_list ap)
{
	return s->longs ? va_arg(ap, uint64_t) : va_arg(ap, unsigned int);
}

static int64_t take_signed(const struct spec *s, va_list ap)
{
	return s->longs ? va_arg(ap, int64_t) : va_arg(ap, int);
}

static void put_string(struct out *o, struct spec *s, const char *text)
{
	size_t n = 0;

	if (!text)
		text = "(null)";
	while ((s->precision < 0 || n < (size_t)s->precision) && text[n])
		n++;
	s->zero = false;
	put_padded(o, s, text, n);
}

static void put_conversion(struct out *o, struct spec *s, char conversion, va_list ap)
{
	int64_t sv;
	char c;

	switch (conversion) {
	case 'c':
		c = (char)va_arg(ap, int);
		put_padded(o, s, &c, 1);
		break;
	case 's':
		put_string(o, s, va_arg(ap, const char *));
		break;
	case 'd':
		sv = take_signed(s, ap);
		put_number(o, s, sv < 0 ? 0 - (uint64_t)sv : (uint64_t)sv, 10, sv < 0);
		break;
	case 'u':
		put_number(o, s, take_unsigned(s, ap), 10, false);
		break;
	case 'x':
		put_number(o, s, take_unsigned(s, ap), 16, false);
		break;
	case 'p':
		put_number(o, s, (uintptr_t)va_arg(ap, void *), 16, false);
		break;
	default:
		put(o, conversion);
	}
}

size_t fmt_v(char *buf, size_t size, const char *format, va_list ap_in)
{
	struct out o = { buf, size, 0 };
	struct spec s;
	va_list ap;

	va_copy(ap, ap_in);
	for (const char *p = format; *p; p++) {
		if (*p != '%') {
			put(&o, *p);
			continue;
		}
		p = parse_spec(p + 1, &s, ap);
		if (!*p)
			break;
		put_conversion(&o, &s, *p, ap);
	}
	va_end(ap);
	if (size)
		buf[o.len < size ? o.len : size - 1] = '\0';
	return o.len;
}

size_t fmt(char *buf, size_t size, const char *format, ...)
{
	va_list ap;
	size_t n;

	va_start(ap, format);
	n = fmt_v(buf, size, format, ap);
	va_end(ap);
	return n;
}
