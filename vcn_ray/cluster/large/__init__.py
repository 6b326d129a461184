"""Clustering of titles whose pairs of tracks fit into no matrix: what `clusterers.evidence_linkage` does, by sums.

`pair_space` gives the similarity of any two tracks, and vectors whose products it is, so that sums over a cluster's
tracks stand for all of its pairs. `neighbours` finds who is nearest, `neighbour_linkage` merges, `weighing` holds each
track against all clusters; `many_tracks` puts it together.
"""
