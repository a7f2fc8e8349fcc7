"""One model from one data set: objectives, the loop, where it starts, and the model that is loaded again."""
