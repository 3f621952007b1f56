/* lib/for_tests.h - what a file shows to its tests alone: no other file of the programs uses what is declared so, and
 * whatever else is declared is used by one (script/rooms.py). */
#ifndef VELLUM_LIB_FOR_TESTS_H
#define VELLUM_LIB_FOR_TESTS_H

#define FOR_TESTS

#endif
