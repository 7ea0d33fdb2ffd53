/*
 * A lab as a scenario's play sees it: its faults, each named in the file, added up; its power.
 */
#ifndef QY_LAB_WORLD_H
#define QY_LAB_WORLD_H

#include <qrt/lab.h>

#include "quotey/lab/play.h"

struct qy_lab_world {
	struct qrt_lab *lab;
	struct qrt_lab_faults faults; /* in force; set it to what the lab was opened with */
	struct qy_play_lab play;      /* for qy_play_setup.lab */
};

/* @world must live as long as the play. */
void qy_lab_world_init(struct qy_lab_world *world, struct qrt_lab *lab);

#endif
