package domain

import "strconv"

// MaxNamed is the largest number of ids whose names a store looks up at once.
const MaxNamed = 1000

// MayName returns Invalid for more than MaxNamed ids, and the error of Storable for an id that can't be
// one.
func MayName[ID ~string](ids []ID) error {
	if len(ids) > MaxNamed {
		return invalid("names of more than " + strconv.Itoa(MaxNamed) + " ids were asked for at once")
	}
	return Storable(ids...)
}
