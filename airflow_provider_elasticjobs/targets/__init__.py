"""From a target group to databases: asking servers which they hold, and the algebra of inclusion and exclusion."""
