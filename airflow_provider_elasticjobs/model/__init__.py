"""Jobs, steps, target groups, lifecycles: the words of Elastic Jobs as values, without any input or output."""
