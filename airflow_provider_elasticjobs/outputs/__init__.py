"""Writing the result sets of scripts where their steps' outputs say, in bounded memory."""
