// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads the text form of workloads: one step on each line, two blanks of
 * indentation for each level, `name key=value ...` with the keys in the order
 * in which difftest/workload/ops.py declares them; a blank line ends a workload.
 */
#include "agent.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_setup(const char *name)
{
	return !strcmp(name, "mount") || !strcmp(name, "file") ||
	       !strcmp(name, "memfd") || !strncmp(name, "map", 3) ||
	       !strcmp(name, "fault");
}

static bool has(struct workload *workload, const char *part)
{
	int i;

	for (i = 0; i < workload->count; i++)
		if (strstr(workload->step[i].name, part))
			return true;
	return false;
}

static void parse_line(char *line, struct step *step)
{
	char *word, *rest;
	int field = 0, blanks = 0;

	memset(step, 0, sizeof(*step));
	while (line[blanks] == ' ')
		blanks++;
	step->depth = blanks / 2;
	if (blanks % 2 || step->depth >= MAX_DEPTH)
		die("workload line '%s': indented by %d", line, blanks);
	step->name = strtok_r(line + blanks, " ", &rest);
	while ((word = strtok_r(NULL, " ", &rest))) {
		char *value = strchr(word, '=');

		if (!value || field == FIELDS)
			die("workload step %s: word '%s'", step->name, word);
		step->field[field].text = ++value;
		step->field[field++].number = strtol(value, NULL, 10);
	}
}

/* Number the steps as the host does: "2" at the top, "2.0.1" in a window. */
static void number(struct workload *workload)
{
	int top = -1, window = -1, inner = -1, ordinal = 0, i, j;

	for (i = 0; i < workload->count; i++) {
		struct step *step = &workload->step[i];

		for (j = i + 1; j < workload->count; j++)
			if (workload->step[j].depth <= step->depth)
				break;
		step->size = j - i;
		if (is_setup(step->name))
			continue;
		if (step->depth == 0) {
			snprintf(step->at, sizeof(step->at), "%d", ++top);
			window = -1;
		} else if (step->depth == 1) {
			snprintf(step->at, sizeof(step->at), "%d.%d", top,
				 ++window);
			inner = -1;
			continue;
		} else {
			snprintf(step->at, sizeof(step->at), "%d.%d.%d", top,
				 window, ++inner);
		}
		step->ordinal = ordinal++;
	}
}

char *workload_parse(char *text, struct workload *workload)
{
	workload->count = 0;
	while (*text == '\n')
		text++;
	if (!*text)
		return NULL;
	while (*text && *text != '\n') {
		char *end = strchr(text, '\n');

		if (!end)
			die("workload text does not end in a newline");
		if (workload->count == MAX_STEPS)
			die("workload of more than %d steps", MAX_STEPS);
		*end = 0;
		parse_line(text, &workload->step[workload->count++]);
		text = end + 1;
	}
	number(workload);
	workload->huge = has(workload, "hugetlb");
	workload->protects = has(workload, "register_wp");
	return text;
}
